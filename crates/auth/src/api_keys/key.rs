use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::fill;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Every key starts with this prefix, so that people and secret scanners recognise a key.
const PREFIX: &str = "es_";
/// Random bytes of a key. A key of this size cannot be guessed, so a plain hash protects it as well as a slow hash.
const KEY_BYTES: usize = 32;

/// An API key in plain text. `Debug` hides the key.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey(String);

impl ApiKey {
    /// The key that a client presents; it may be any text.
    pub(crate) fn from_client(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// A new key; `None` if the system provides no random numbers.
    pub(super) fn random() -> Option<Self> {
        let mut bytes = [0; KEY_BYTES];
        fill(&mut bytes).ok()?;
        Some(Self(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes))))
    }

    /// The key in plain text, for its holder. The table keeps only the hash, so a key can be shown only once.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The SHA-256 hash of the key in URL-safe base64.
    pub(super) fn hash(&self) -> String {
        URL_SAFE_NO_PAD.encode(digest(&SHA256, self.0.as_bytes()))
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(…)")
    }
}
