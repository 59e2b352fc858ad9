use std::fmt;

/// Least bytes of a secret that signs tokens: as many as HMAC-SHA256 puts out.
/// Source: RFC 7518, section 3.2.
pub const SECRET_BYTES: usize = 32;

/// A secret that signs tokens. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningSecret(Vec<u8>);

/// A secret that is too short to be one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a signing secret has at least {SECRET_BYTES} bytes")]
pub struct ShortSecret;

impl SigningSecret {
    /// Takes a secret as it is.
    ///
    /// # Errors
    /// [`ShortSecret`] below 32 bytes.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Result<Self, ShortSecret> {
        let bytes = bytes.into();
        if bytes.len() < SECRET_BYTES { Err(ShortSecret) } else { Ok(Self(bytes)) }
    }

    /// The secret itself, for the one place that signs or verifies with it.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for SigningSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningSecret(…)")
    }
}
