use std::fmt::Write;

use aws_lc_rs::digest::{SHA256, digest};
use bytes::Bytes;

/// A message and the hash of it that each of its requests is signed with: computed once, however many connections get
/// it. Of a message of some KB, hashing is most of the work. Cloning shares the bytes.
#[derive(Clone, Debug)]
pub struct Message {
    bytes: Bytes,
    hash: String,
}

impl Message {
    /// A message of these bytes, which are UTF-8: API Gateway sends text frames.
    pub fn new(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        let mut hash = String::with_capacity(64);
        for byte in digest(&SHA256, &bytes).as_ref() {
            // Writing to a string does not fail.
            let _ = write!(hash, "{byte:02x}");
        }
        Self { bytes, hash }
    }

    pub(crate) fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// In lower-case hexadecimal digits, as Signature Version 4 wants it.
    pub(crate) fn hash(&self) -> &str {
        &self.hash
    }
}
