use entity_stream_protocol::{AccessToken, EpochMillis};
use jsonwebtoken::{Algorithm, DecodingKey, Header};
use serde_json::{Map, Value};

use crate::jwks::JwksCache;
use crate::refusal::Refusal;
use crate::rotation::{RotatingSecret, SigningSecrets};
use crate::secret::SigningSecret;
use crate::verification_key::{VerificationKey, signed_claims};

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
    /// The claims of a token with this header, if one of the keys verifies its signature.
    pub(crate) async fn claims(
        &self,
        token: &AccessToken,
        header: &Header,
        now: EpochMillis,
    ) -> Result<Map<String, Value>, Refusal> {
        match self {
            Self::Secret(secret) => signed_claims(token, header.alg, &[key_of(secret)]),
            Self::Rotating(rotating) => {
                let SigningSecrets { current, previous } = rotating.secrets(now).await;
                let keys: Vec<_> = [Some(current), previous].iter().flatten().map(key_of).collect();
                signed_claims(token, header.alg, &keys)
            }
            Self::Jwks(cache) => cache.claims(token, header).await,
        }
    }
}

fn key_of(secret: &SigningSecret) -> VerificationKey {
    VerificationKey {
        key: DecodingKey::from_secret(secret.expose()),
        algorithms: vec![Algorithm::HS256, Algorithm::HS384, Algorithm::HS512],
    }
}
