use jsonwebtoken::{Algorithm, DecodingKey};

/// A key and its allowed algorithms. They come from the configuration and the key's type, never from the token. If a public
/// key were accepted as an HMAC secret, anyone could sign tokens.
pub(crate) struct VerificationKey {
    pub(crate) key: DecodingKey,
    pub(crate) algorithms: Vec<Algorithm>,
}
