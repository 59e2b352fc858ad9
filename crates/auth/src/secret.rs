use std::fmt;

/// The minimum size of a signing secret in bytes: the output size of HMAC-SHA256.
/// Source: RFC 7518, section 3.2.
pub const SECRET_BYTES: usize = 32;

/// A secret that signs tokens. `Debug` hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningSecret(Vec<u8>);

/// The secret is too short.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a signing secret has at least {SECRET_BYTES} bytes")]
pub struct ShortSecret;

impl SigningSecret {
    /// Takes the bytes of a secret unchanged.
    ///
    /// # Errors
    /// [`ShortSecret`] if it has fewer than 32 bytes.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Result<Self, ShortSecret> {
        let bytes = bytes.into();
        if bytes.len() < SECRET_BYTES { Err(ShortSecret) } else { Ok(Self(bytes)) }
    }

    /// The bytes of the secret, for signing and verification only.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for SigningSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningSecret(…)")
    }
}
