//! Files that only their owner reads, and that are replaced as a whole.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Replaces a file as a whole, so that a command that is killed leaves the former or the new content, and never a part of one. A
/// symbolic link stays, and the file to which it leads is replaced.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let path = &target(path);
    let beside = beside(path);
    let written = private().open(&beside).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_data()
    });
    let replaced = written.and_then(|()| std::fs::rename(&beside, path));
    if replaced.is_err() {
        let _ = std::fs::remove_file(&beside);
    }
    replaced
}

/// Checks that [`replace`] can write the file: creates a file beside it, and removes it.
pub(crate) fn check_replaceable(path: &Path) -> std::io::Result<()> {
    let beside = beside(&target(path));
    private().open(&beside)?;
    std::fs::remove_file(&beside)
}

/// The file to which the path leads. A path without a file leads to itself.
fn target(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

/// The new content, until it takes the place of the file.
fn beside(path: &Path) -> PathBuf {
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{}.tmp", std::process::id()));
    beside.into()
}

/// Options that create a file for its owner only, or empty it.
pub(crate) fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}
