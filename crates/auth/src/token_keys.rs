use entity_stream_protocol::EpochMillis;
use jsonwebtoken::{Algorithm, DecodingKey, Header};

use crate::jwks::JwksCache;
use crate::refusal::Refusal;
use crate::rotation::{RotatingSecret, SigningSecrets};
use crate::secret::SigningSecret;
use crate::verification_key::VerificationKey;

/// The keys that verify tokens.
#[derive(Clone, Debug)]
pub enum TokenKeys {
    /// A shared secret, for HS256, HS384 and HS512.
    Secret(SigningSecret),
    /// A shared secret that is read again every few minutes, for the same algorithms.
    Rotating(RotatingSecret),
    /// An issuer's public keys, for the algorithms of their type.
    Jwks(JwksCache),
}

impl TokenKeys {
    /// The keys for a token with this header. The token is valid if one of them verifies it.
    pub(crate) async fn find(&self, header: &Header, now: EpochMillis) -> Result<Vec<VerificationKey>, Refusal> {
        match self {
            Self::Secret(secret) => Ok(vec![key_of(secret)]),
            Self::Rotating(rotating) => {
                let SigningSecrets { current, previous } = rotating.secrets(now).await;
                Ok([Some(current), previous].iter().flatten().map(key_of).collect())
            }
            Self::Jwks(cache) => Ok(vec![cache.key_for(header.kid.as_deref()).await?]),
        }
    }
}

fn key_of(secret: &SigningSecret) -> VerificationKey {
    VerificationKey {
        key: DecodingKey::from_secret(secret.expose()),
        algorithms: vec![Algorithm::HS256, Algorithm::HS384, Algorithm::HS512],
    }
}
