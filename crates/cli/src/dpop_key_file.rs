//! The file with the private key to which tokens are bound.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::Path;

use anyhow::{Context, bail};
use entity_stream_client::DpopKey;

use crate::small_file::read_small_text;

/// Reads a key.
pub(crate) fn read_dpop_key(path: &Path) -> anyhow::Result<DpopKey> {
    let text = read_small_text(path).with_context(|| format!("cannot read the key in {}", path.display()))?;
    DpopKey::from_pem(&text).with_context(|| format!("cannot use the key in {}", path.display()))
}

/// Reads a key, or creates the file with a new one. Only the owner of the file may read it.
pub(crate) fn read_or_create_dpop_key(path: &Path) -> anyhow::Result<DpopKey> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = match options.open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return read_dpop_key(path),
        Err(error) => bail!("cannot create {}: {error}", path.display()),
    };
    let key = DpopKey::generate()?;
    file.write_all(key.to_pem()?.as_bytes()).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_created_once_and_for_its_owner() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key.pem");
        assert!(read_dpop_key(&path).is_err());
        let key = read_or_create_dpop_key(&path).unwrap();
        assert_eq!(read_or_create_dpop_key(&path).unwrap().thumbprint(), key.thumbprint());
        assert_eq!(read_dpop_key(&path).unwrap().thumbprint(), key.thumbprint());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        }
        std::fs::write(&path, "secret").unwrap();
        let error = format!("{:#}", read_or_create_dpop_key(&path).unwrap_err());
        assert!(error.contains("P-256") && !error.contains("secret"), "{error}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "secret", "it is not replaced");
    }
}
