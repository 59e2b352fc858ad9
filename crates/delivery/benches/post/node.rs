//! The contender for Node.js.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Returns the script, ready to run. Returns `None` without `node` or `npm`, or if the packages cannot be installed.
pub(crate) fn script() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/post/node");
    let succeeds = |command: &mut Command| command.status().is_ok_and(|status| status.success());
    if !succeeds(Command::new("node").args(["--eval", ""])) {
        return None;
    }
    let install = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"];
    // Installs the packages in any case, so that the versions are those of the lock file.
    succeeds(Command::new("npm").args(install).current_dir(&folder)).then(|| folder.join("post.mjs"))
}
