//! The public keys of an issuer, and the choice of those that may have signed a token.
//!
//! A token names its key by `kid`, which issuers may leave out of the token, of the key, or of both, and which keys of different
//! types may share. The keys that may have signed a token are those of its algorithm:
//!
//! - with the `kid` of the token, if there are any;
//! - otherwise those without a `kid`;
//! - for a token without `kid`, all.
//!
//! A refusal for a key or a signature is never certain. The issuer may have published another key since, and under the same `kid`.

use entity_stream_protocol::AccessToken;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, Header};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::refusal::Refusal;
use crate::verification_key::{VerificationKey, signed_claims};

/// The most keys that are tried for one token. Every client can send a token without a `kid`, and each signature takes time.
const MOST_KEYS: usize = 8;

/// The keys of a set that verify signatures; at least one.
pub(crate) struct KeySet(Vec<PublishedKey>);

struct PublishedKey {
    id: Option<String>,
    key: VerificationKey,
}

impl KeySet {
    /// Reads the keys of a set. Ignores all but keys that verify signatures: providers publish keys of other kinds too.
    ///
    /// # Errors
    /// If the text is not a key set, or if none of its keys verifies signatures.
    pub(crate) fn parse(json: &[u8]) -> Result<Self, serde_json::Error> {
        #[derive(Deserialize)]
        struct Published {
            keys: Vec<Value>,
        }
        let Published { keys } = serde_json::from_slice(json)?;
        let keys = keys.into_iter().filter_map(|key| serde_json::from_value::<Jwk>(key).ok());
        let keys = keys.filter_map(|jwk| Some(PublishedKey { key: usable(&jwk)?, id: jwk.common.key_id }));
        Ok(Self(keys.collect()))
    }

    /// The number of keys.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The claims of a token with this header, if one of the keys verifies it.
    pub(crate) fn claims(&self, token: &AccessToken, header: &Header) -> Result<Map<String, Value>, Refusal> {
        let fitting: Vec<_> = self.0.iter().filter(|published| published.key.fits(header.alg)).collect();
        let is_named = header.kid.is_some() && fitting.iter().any(|published| published.id == header.kid);
        let may_have_signed = |published: &&&PublishedKey| match header.kid {
            Some(_) if is_named => published.id == header.kid,
            Some(_) => published.id.is_none(),
            None => true,
        };
        let mut keys =
            fitting.iter().filter(may_have_signed).take(MOST_KEYS).map(|published| &published.key).peekable();
        if keys.peek().is_none() {
            let is_of_another_type = header.kid.is_none() || self.0.iter().any(|published| published.id == header.kid);
            return Err(if is_of_another_type { Refusal::Algorithm } else { Refusal::UnknownKey });
        }
        signed_claims(token, header.alg, keys)
    }
}

/// A key that verifies signatures, with the algorithms of its type, or with the algorithm that it names. Symmetric keys are
/// ignored, because a key in a public set is not a secret.
pub(crate) fn usable(jwk: &Jwk) -> Option<VerificationKey> {
    if matches!(jwk.common.public_key_use, Some(PublicKeyUse::Encryption)) {
        return None;
    }
    let of_type = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => vec![
            Algorithm::RS256,
            Algorithm::RS384,
            Algorithm::RS512,
            Algorithm::PS256,
            Algorithm::PS384,
            Algorithm::PS512,
        ],
        AlgorithmParameters::EllipticCurve(parameters) => match parameters.curve {
            EllipticCurve::P256 => vec![Algorithm::ES256],
            EllipticCurve::P384 => vec![Algorithm::ES384],
            _ => return None,
        },
        AlgorithmParameters::OctetKeyPair(parameters) if parameters.curve == EllipticCurve::Ed25519 => {
            vec![Algorithm::EdDSA]
        }
        _ => return None,
    };
    let algorithms = match jwk.common.key_algorithm {
        None => of_type,
        Some(named) => of_type.into_iter().filter(|algorithm| KeyAlgorithm::from(*algorithm) == named).collect(),
    };
    let key = DecodingKey::from_jwk(jwk).ok()?;
    (!algorithms.is_empty()).then_some(VerificationKey { key, algorithms })
}
