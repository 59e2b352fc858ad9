use std::collections::HashSet;
use std::time::Duration;

use entity_stream_protocol::{AccessToken, EpochMillis};
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, Header, Validation, decode, decode_header};
use serde_json::{Map, Value};

use crate::{ClaimPaths, Identity, JwksCache, Refusal, SigningSecret};

/// How far our clock may lag behind the issuer's for a token that is just valid. There is no such grace at the other
/// end: a connection is never authorised for longer than its token, so a token that has expired would open one that is
/// closed at once.
const CLOCK_SKEW: Duration = Duration::from_secs(10);

/// Longest `sub` that is taken, in bytes: it is stored with the connection.
pub const SUBJECT_BYTES: usize = 256;

/// What tokens are verified with.
#[derive(Clone, Debug)]
pub enum Keys {
    /// A shared secret, for HS256, HS384 and HS512.
    Secret(SigningSecret),
    /// An issuer's public keys, for the algorithms of their type.
    Jwks(JwksCache),
}

/// Verifies tokens.
#[derive(Clone, Debug)]
pub struct Verifier {
    keys: Keys,
    issuer: Option<String>,
    audience: Option<String>,
    claims: ClaimPaths,
}

/// A key and the algorithms that it may be used with. They come from the configuration and the key's type, never from
/// the token: a public key taken for an HMAC secret would let anybody sign.
pub(crate) struct KeyFor {
    pub(crate) key: DecodingKey,
    pub(crate) algorithms: Vec<Algorithm>,
}

impl Verifier {
    /// A verifier with these keys and claims that accepts any issuer and audience.
    pub fn new(keys: Keys, claims: ClaimPaths) -> Self {
        Self { keys, issuer: None, audience: None, claims }
    }

    /// Accepts only tokens of this issuer.
    #[must_use]
    pub fn with_issuer(mut self, issuer: Option<String>) -> Self {
        self.issuer = issuer;
        self
    }

    /// Accepts only tokens for this audience.
    #[must_use]
    pub fn with_audience(mut self, audience: Option<String>) -> Self {
        self.audience = audience;
        self
    }

    /// Whose token this is.
    ///
    /// # Errors
    /// The [`Refusal`] if it is not valid at `now`, or does not say who may do what.
    pub async fn verify(&self, token: &AccessToken, now: EpochMillis) -> Result<Identity, Refusal> {
        // `none` and everything else that is no algorithm of ours ends here.
        let header = decode_header(token.expose()).map_err(|error| refusal_of(error.kind()))?;
        // RFC 7515, section 4.1.11: who does not understand what is critical has to refuse.
        if header.crit.is_some() {
            return Err(Refusal::MalformedCredential);
        }
        let KeyFor { key, algorithms } = self.key_for(&header).await?;
        if !algorithms.contains(&header.alg) {
            return Err(Refusal::Algorithm);
        }
        // Of several families, the validation only takes those of its key.
        let mut validation = Validation::new(header.alg);
        validation.algorithms = algorithms;
        // Times are checked below, by the clock that everything else goes by.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        validation.required_spec_claims = HashSet::new();
        if let Some(issuer) = &self.issuer {
            validation.set_issuer(&[issuer]);
            validation.required_spec_claims.insert("iss".to_owned());
        }
        match &self.audience {
            Some(audience) => {
                validation.set_audience(&[audience]);
                validation.required_spec_claims.insert("aud".to_owned());
            }
            None => validation.validate_aud = false,
        }
        let claims = decode::<Map<String, Value>>(token.expose(), &key, &validation)
            .map_err(|error| refusal_of(error.kind()))?
            .claims;
        self.identity(&claims, now)
    }

    async fn key_for(&self, header: &Header) -> Result<KeyFor, Refusal> {
        match &self.keys {
            Keys::Secret(secret) => Ok(KeyFor {
                key: DecodingKey::from_secret(secret.expose()),
                algorithms: vec![Algorithm::HS256, Algorithm::HS384, Algorithm::HS512],
            }),
            Keys::Jwks(cache) => cache.key_for(header.kid.as_deref()).await,
        }
    }

    fn identity(&self, claims: &Map<String, Value>, now: EpochMillis) -> Result<Identity, Refusal> {
        let expires_at = time(claims, "exp")?.ok_or(Refusal::NoExpiry)?;
        if expires_at <= now {
            return Err(Refusal::Expired);
        }
        if time(claims, "nbf")?.is_some_and(|not_before| not_before > now.plus(CLOCK_SKEW)) {
            return Err(Refusal::NotYetValid);
        }
        let subject = claims.get("sub").and_then(Value::as_str).unwrap_or_default();
        if subject.is_empty() || subject.len() > SUBJECT_BYTES {
            return Err(Refusal::Subject);
        }
        Ok(Identity {
            subject: subject.to_owned(),
            role: self.claims.role(claims)?,
            tenants: self.claims.tenants(claims),
            expires_at: Some(expires_at),
        })
    }
}

/// A `NumericDate` (RFC 7519, section 2): seconds, which may have a fraction.
#[allow(
    clippy::cast_possible_truncation,
    reason = "a float that is too large becomes the largest number, far away enough"
)]
fn time(claims: &Map<String, Value>, name: &str) -> Result<Option<EpochMillis>, Refusal> {
    let Some(value) = claims.get(name) else { return Ok(None) };
    let seconds = value.as_f64().filter(|seconds| seconds.is_finite() && *seconds >= 0.0);
    let seconds = seconds.ok_or(Refusal::NoExpiry)?;
    Ok(Some(EpochMillis::new((seconds * 1000.0) as i64)))
}

fn refusal_of(error: &ErrorKind) -> Refusal {
    match error {
        ErrorKind::InvalidSignature => Refusal::Signature,
        ErrorKind::InvalidIssuer => Refusal::Issuer,
        ErrorKind::InvalidAudience => Refusal::Audience,
        ErrorKind::MissingRequiredClaim(claim) if claim == "iss" => Refusal::Issuer,
        ErrorKind::MissingRequiredClaim(claim) if claim == "aud" => Refusal::Audience,
        ErrorKind::InvalidAlgorithm
        | ErrorKind::InvalidAlgorithmName
        | ErrorKind::UnsupportedAlgorithm
        | ErrorKind::MissingAlgorithm
        | ErrorKind::InvalidKeyFormat => Refusal::Algorithm,
        _ => Refusal::MalformedCredential,
    }
}
