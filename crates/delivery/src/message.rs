use std::fmt::Write;

use aws_lc_rs::digest::{SHA256, digest};
use bytes::Bytes;

/// A message and its SHA-256 hash. Each request signs the hash; it is computed once for all connections. Hashing is most of
/// the work for a message of some KB. Clones share the bytes.
#[derive(Clone, Debug)]
pub struct Message {
    bytes: Bytes,
    hash: String,
}

impl Message {
    /// Creates a message from UTF-8 bytes. API Gateway sends them as a text frame.
    pub fn new(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        let mut hash = String::with_capacity(64);
        for byte in digest(&SHA256, &bytes).as_ref() {
            // Writing to a string does not fail.
            let _ = write!(hash, "{byte:02x}");
        }
        Self { bytes, hash }
    }

    /// The bytes of the message.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Returns the hash in lower-case hexadecimal digits, as Signature Version 4 needs it.
    pub(crate) fn hash(&self) -> &str {
        &self.hash
    }
}
