use jsonwebtoken::{Algorithm, DecodingKey, Header};

use crate::jwks::JwksCache;
use crate::refusal::Refusal;
use crate::secret::SigningSecret;
use crate::verification_key::VerificationKey;

/// The keys that verify tokens.
#[derive(Clone, Debug)]
pub enum TokenKeys {
    /// A shared secret, for HS256, HS384 and HS512.
    Secret(SigningSecret),
    /// An issuer's public keys, for the algorithms of their type.
    Jwks(JwksCache),
}

impl TokenKeys {
    /// The key for a token with this header.
    pub(crate) async fn find(&self, header: &Header) -> Result<VerificationKey, Refusal> {
        match self {
            Self::Secret(secret) => Ok(VerificationKey {
                key: DecodingKey::from_secret(secret.expose()),
                algorithms: vec![Algorithm::HS256, Algorithm::HS384, Algorithm::HS512],
            }),
            Self::Jwks(cache) => cache.key_for(header.kid.as_deref()).await,
        }
    }
}
