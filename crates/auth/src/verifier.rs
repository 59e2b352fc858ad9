use std::time::Duration;

use entity_stream_protocol::{AccessToken, EpochMillis};
use jsonwebtoken::{Algorithm, decode_header};
use serde_json::{Map, Value};

use crate::claims::ClaimPaths;
use crate::dpop::ProofBinding;
use crate::identity::{ADDRESS_SUBJECT, API_KEY_SUBJECT, Identity};
use crate::inspect::object;
use crate::refusal::{Refusal, Refused};
use crate::token_keys::TokenKeys;
use crate::verified::Verified;

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
    audiences: Vec<String>,
    claims: ClaimPaths,
}

impl Verifier {
    /// A verifier with these keys and claims that accepts any issuer and audience.
    pub fn new(keys: TokenKeys, claims: ClaimPaths) -> Self {
        Self { keys, issuer: None, audiences: Vec::new(), claims }
    }

    /// Accepts only tokens of this issuer.
    #[must_use]
    pub fn with_issuer(mut self, issuer: Option<String>) -> Self {
        self.issuer = issuer;
        self
    }

    /// Accepts only tokens for one of these audiences; any audience if there is none.
    #[must_use]
    pub fn with_audiences(mut self, audiences: Vec<String>) -> Self {
        self.audiences = audiences;
        self
    }

    /// The identity that a token names, and the key to which it is bound.
    ///
    /// # Errors
    /// [`Refused`] if the token is not valid at `now`, or lacks a valid subject or role. It has the subject if the signature
    /// is right.
    pub async fn verify(&self, token: &AccessToken, now: EpochMillis) -> Result<Verified, Refused> {
        // `none` and unsupported algorithms end here.
        let header = decode_header(token.expose()).map_err(|_| unreadable(token.expose()))?;
        // RFC 7515, section 4.1.11: a verifier has to refuse critical headers that it does not understand.
        if header.crit.is_some() {
            return Err(Refusal::MalformedCredential.into());
        }
        let claims = self.keys.claims(token, &header, now).await?;
        let subject = subject(&claims);
        self.identity(&claims, subject, now)
            .and_then(|identity| Ok(Verified { identity, binding: ProofBinding::of(token, &claims)? }))
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
        if !self.audiences.is_empty() && !is_meant(claims, &self.audiences) {
            return Err(Refusal::Audience);
        }
        let expires_at = time(claims, "exp")?.ok_or(Refusal::NoExpiry)?;
        if expires_at <= now {
            return Err(Refusal::Expired);
        }
        if time(claims, "nbf")?.is_some_and(|not_before| not_before > now.plus(CLOCK_SKEW)) {
            return Err(Refusal::NotYetValid);
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

/// The subject of a token. A subject with the prefix of API keys or of addresses is refused, because it could pass for one.
fn subject(claims: &Map<String, Value>) -> Result<&str, Refusal> {
    let subject = claims.get("sub").and_then(Value::as_str).unwrap_or_default();
    let is_reserved = [API_KEY_SUBJECT, ADDRESS_SUBJECT].iter().any(|prefix| subject.starts_with(prefix));
    if subject.is_empty() || subject.len() > SUBJECT_BYTES || is_reserved {
        return Err(Refusal::Subject);
    }
    Ok(subject)
}

/// True if `aud`, a string or an array of strings (RFC 7519, section 4.1.3), names one of these audiences. In a token without `aud`,
/// `client_id` counts instead: the access tokens of Amazon Cognito have only this.
fn is_meant(claims: &Map<String, Value>, audiences: &[String]) -> bool {
    let is_one = |value: &Value| audiences.iter().any(|audience| value.as_str() == Some(audience));
    match claims.get("aud") {
        Some(Value::Array(several)) => several.iter().all(Value::is_string) && several.iter().any(is_one),
        Some(one) if !one.is_null() => is_one(one),
        _ => claims.get("client_id").is_some_and(is_one),
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
