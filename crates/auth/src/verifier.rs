use std::collections::HashSet;
use std::time::Duration;

use entity_stream_protocol::{AccessToken, EpochMillis};
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, Validation, decode, decode_header};
use serde_json::{Map, Value};

use crate::claims::ClaimPaths;
use crate::identity::{API_KEY_SUBJECT, Identity};
use crate::inspect::object;
use crate::refusal::{Refusal, Refused};
use crate::token_keys::TokenKeys;
use crate::verification_key::VerificationKey;

/// The tolerated lag of our clock behind the issuer's, for `nbf`. There is no such grace for `exp`: a connection is never
/// authorised for longer than its token, so an expired token would open a connection that is closed at once.
const CLOCK_SKEW: Duration = Duration::from_secs(10);

/// The largest size of `sub` in bytes. The table stores it with the connection.
pub const SUBJECT_BYTES: usize = 256;

/// Verifies tokens.
#[derive(Clone, Debug)]
pub struct Verifier {
    keys: TokenKeys,
    issuer: Option<String>,
    audience: Option<String>,
    claims: ClaimPaths,
}

impl Verifier {
    /// A verifier with these keys and claims that accepts any issuer and audience.
    pub fn new(keys: TokenKeys, claims: ClaimPaths) -> Self {
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

    /// The identity that a token proves.
    ///
    /// # Errors
    /// [`Refused`] if the token is not valid at `now`, or lacks a valid subject or role. It has the subject if the signature
    /// is right.
    pub async fn verify(&self, token: &AccessToken, now: EpochMillis) -> Result<Identity, Refused> {
        // `none` and unsupported algorithms end here.
        let header = decode_header(token.expose()).map_err(|_| unreadable(token.expose()))?;
        // RFC 7515, section 4.1.11: a verifier has to refuse critical headers that it does not understand.
        if header.crit.is_some() {
            return Err(Refusal::MalformedCredential.into());
        }
        let keys = self.keys.find(&header, now).await?;
        let claims = signed_claims(token, header.alg, keys)?;
        let subject = subject(&claims);
        self.identity(&claims, subject, now)
            .map_err(|reason| Refused { reason, subject: subject.ok().map(str::to_owned) })
    }

    /// The identity in the claims of a token with a right signature.
    fn identity(
        &self,
        claims: &Map<String, Value>,
        subject: Result<&str, Refusal>,
        now: EpochMillis,
    ) -> Result<Identity, Refusal> {
        // RFC 7519, section 4.1.1: `iss` is one string and not an array.
        if self.issuer.as_ref().is_some_and(|issuer| claims.get("iss").and_then(Value::as_str) != Some(issuer)) {
            return Err(Refusal::Issuer);
        }
        if self.audience.as_ref().is_some_and(|audience| !is_meant(claims.get("aud"), audience)) {
            return Err(Refusal::Audience);
        }
        let expires_at = time(claims, "exp")?.ok_or(Refusal::NoExpiry)?;
        if expires_at <= now {
            return Err(Refusal::Expired);
        }
        if time(claims, "nbf")?.is_some_and(|not_before| not_before > now.plus(CLOCK_SKEW)) {
            return Err(Refusal::NotYetValid);
        }
        // RFC 7800: without the proof that the client has the key, anyone could use a stolen token.
        if claims.get("cnf").is_some_and(|confirmation| !confirmation.is_null()) {
            return Err(Refusal::ProofRequired);
        }
        Ok(Identity {
            subject: subject?.to_owned(),
            role: self.claims.role(claims)?,
            tenants: self.claims.tenants(claims),
            expires_at: Some(expires_at),
            service_path: None,
        })
    }
}

/// The claims of a token that one of the keys verifies.
fn signed_claims(
    token: &AccessToken,
    algorithm: Algorithm,
    keys: Vec<VerificationKey>,
) -> Result<Map<String, Value>, Refusal> {
    let mut refusal = Refusal::Algorithm;
    for VerificationKey { key, algorithms } in keys {
        if !algorithms.contains(&algorithm) {
            continue;
        }
        // The validation accepts only algorithms of the family of its key.
        let mut validation = Validation::new(algorithm);
        validation.algorithms = algorithms;
        // The claims are checked later. The times are compared with the clock of the system, and a refusal has the subject.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        validation.validate_aud = false;
        validation.required_spec_claims = HashSet::new();
        match decode::<Map<String, Value>>(token.expose(), &key, &validation) {
            Ok(decoded) => return Ok(decoded.claims),
            Err(error) => refusal = refusal_of(error.kind()),
        }
    }
    Err(refusal)
}

/// The subject of a token. A subject with the prefix of API keys is refused, because it could pass for an API key.
fn subject(claims: &Map<String, Value>) -> Result<&str, Refusal> {
    let subject = claims.get("sub").and_then(Value::as_str).unwrap_or_default();
    if subject.is_empty() || subject.len() > SUBJECT_BYTES || subject.starts_with(API_KEY_SUBJECT) {
        return Err(Refusal::Subject);
    }
    Ok(subject)
}

/// True if `aud`, a string or an array of strings (RFC 7519, section 4.1.3), names this audience.
fn is_meant(aud: Option<&Value>, audience: &str) -> bool {
    match aud {
        Some(Value::String(one)) => one == audience,
        Some(Value::Array(several)) => {
            several.iter().all(Value::is_string) && several.iter().any(|one| one.as_str() == Some(audience))
        }
        _ => false,
    }
}

/// A `NumericDate` (RFC 7519, section 2) in seconds. It may have a fraction.
// A float that is too large becomes the largest number, far away enough.
fn time(claims: &Map<String, Value>, name: &str) -> Result<Option<EpochMillis>, Refusal> {
    let Some(value) = claims.get(name) else { return Ok(None) };
    let seconds = value.as_f64().filter(|seconds| seconds.is_finite() && *seconds >= 0.0);
    let seconds = seconds.ok_or(Refusal::NoExpiry)?;
    Ok(Some(EpochMillis::new((seconds * 1000.0) as i64)))
}

/// The refusal for an unreadable header: it names an unknown algorithm, or it is not a header.
fn unreadable(token: &str) -> Refusal {
    let header = token.split('.').next().and_then(object);
    match header.as_ref().and_then(|header| header.get("alg")).and_then(Value::as_str) {
        Some(name) if name.parse::<Algorithm>().is_err() => Refusal::Algorithm,
        _ => Refusal::MalformedCredential,
    }
}

fn refusal_of(error: &ErrorKind) -> Refusal {
    match error {
        ErrorKind::InvalidSignature => Refusal::Signature,
        ErrorKind::InvalidAlgorithm
        | ErrorKind::InvalidAlgorithmName
        | ErrorKind::UnsupportedAlgorithm
        | ErrorKind::MissingAlgorithm
        | ErrorKind::InvalidKeyFormat => Refusal::Algorithm,
        _ => Refusal::MalformedCredential,
    }
}
