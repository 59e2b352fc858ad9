//! Files of a user that are small: a secret, a key or a configuration.

use std::fs::File;
use std::io::{Error, ErrorKind, Read};
use std::path::Path;

/// The longest file that is read, in bytes. A device such as /dev/zero has no end.
const BYTES: u64 = 1024 * 1024;

/// Reads a file as a whole.
pub(crate) fn read_small(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > BYTES {
        return Err(Error::new(ErrorKind::FileTooLarge, "it is longer than 1 MB"));
    }
    Ok(bytes)
}

/// Reads a text file as a whole. An error shows no part of it.
pub(crate) fn read_small_text(path: &Path) -> std::io::Result<String> {
    String::from_utf8(read_small(path)?).map_err(|_| Error::new(ErrorKind::InvalidData, "it is not a text file"))
}
