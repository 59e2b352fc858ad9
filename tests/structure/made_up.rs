//! Small workspaces, written to a temporary folder, on which the rules are tried.

use std::fs;

use tempfile::TempDir;

use crate::workspace::{Crate, PREFIX, read};

pub(crate) struct MadeUp(TempDir);

impl MadeUp {
    /// A workspace of these files.
    pub(crate) fn new(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let workspace = ("Cargo.toml", "[workspace]\nresolver = \"3\"\nmembers = [\"crates/*\"]\n");
        for (path, text) in files.iter().chain([&workspace]) {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        Self(folder)
    }

    /// A workspace of one crate, `auth`, whose `src` has these files.
    pub(crate) fn with_sources(files: &[(&str, &str)]) -> Self {
        let paths: Vec<_> = files.iter().map(|(path, text)| (format!("crates/auth/src/{path}"), *text)).collect();
        let manifest = manifest("auth", &[], &[]);
        let mut files: Vec<_> = paths.iter().map(|(path, text)| (path.as_str(), *text)).collect();
        files.push(("crates/auth/Cargo.toml", &manifest));
        Self::new(&files)
    }

    pub(crate) fn crates(&self) -> Vec<Crate> {
        read(self.0.path())
    }
}

/// A manifest with these dependencies and dev-dependencies.
pub(crate) fn manifest(name: &str, dependencies: &[&str], dev_dependencies: &[&str]) -> String {
    let lines = |names: &[&str]| -> String {
        names.iter().map(|name| format!("{PREFIX}{name} = {{ path = \"../{name}\" }}\n")).collect()
    };
    format!(
        "[package]\nname = \"{PREFIX}{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[dependencies]\n{}\n[dev-dependencies]\n{}",
        lines(dependencies),
        lines(dev_dependencies)
    )
}
