//! The crates of a workspace and their dependencies, as `cargo metadata` reports them.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// The prefix of every package name of the workspace.
pub(crate) const PREFIX: &str = "entity-stream-";

/// The package whose code only tests use.
pub(crate) const TESTING: &str = "testing";

/// One package of the workspace.
pub(crate) struct Crate {
    /// The package name without its prefix, for example `auth`.
    pub(crate) name: String,
    /// The crates of the workspace under `dependencies` and `build-dependencies`, for every platform.
    pub(crate) dependencies: Vec<String>,
    /// The crates of the workspace under `dev-dependencies`.
    pub(crate) dev_dependencies: Vec<String>,
    /// The root files of the library and the binaries.
    pub(crate) roots: Vec<PathBuf>,
}

/// Every package of the workspace in this folder.
pub(crate) fn read(folder: &Path) -> Vec<Crate> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(folder)
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo writes JSON");
    let mut crates: Vec<_> = metadata["packages"].as_array().unwrap().iter().map(package).collect();
    crates.sort_by(|a, b| a.name.cmp(&b.name));
    crates
}

/// Every package of this workspace.
pub(crate) fn this() -> Vec<Crate> {
    read(Path::new(env!("CARGO_MANIFEST_DIR")))
}

fn package(package: &Value) -> Crate {
    let dependencies = |of_tests: bool| {
        let all = package["dependencies"].as_array().unwrap();
        let wanted = all.iter().filter(|dependency| (dependency["kind"] == "dev") == of_tests);
        wanted.filter_map(|dependency| dependency["name"].as_str()?.strip_prefix(PREFIX).map(str::to_owned)).collect()
    };
    let is_code =
        |target: &&Value| target["kind"].as_array().unwrap().iter().any(|kind| kind == "lib" || kind == "bin");
    let targets = package["targets"].as_array().unwrap().iter().filter(is_code);
    let name = package["name"].as_str().unwrap();
    Crate {
        name: name.strip_prefix(PREFIX).unwrap_or(name).to_owned(),
        dependencies: dependencies(false),
        dev_dependencies: dependencies(true),
        roots: targets.map(|target| target["src_path"].as_str().unwrap().into()).collect(),
    }
}

#[test]
fn the_packages_of_this_workspace_are_found() {
    let crates = this();
    let connect = crates.iter().find(|package| package.name == "connect").expect("connect is a crate");
    assert_eq!(connect.roots.len(), 2, "a library and a binary");
    assert!(connect.dependencies.contains(&"runtime".to_owned()));
}
