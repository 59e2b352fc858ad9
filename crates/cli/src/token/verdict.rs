use anyhow::Context;
use entity_stream_auth::{Refusal, Unverified, Verified, Verifier};
use entity_stream_local::aws_config;
use entity_stream_protocol::{EpochMillis, Tenant};
use entity_stream_runtime::environment::{AUTH_ENABLED, JWT_JWKS_URL, JWT_SECRET, JWT_SECRET_ARN};
use entity_stream_runtime::{AwsServices, Environment, KeySource, TokenConfig};
use jsonwebtoken::{EncodingKey, Header, decode_header, encode};

use crate::token::overlay::overlay;
use crate::token::secret::{SecretSource, fresh_secret};

/// Judges tokens as the functions do, with their own authenticator.
#[derive(Debug)]
pub(crate) struct Judge {
    verifier: Verifier,
    key: Key,
}

/// The key for checking signatures.
enum Key {
    /// The key that the environment names.
    Known,
    /// A secret of our own, because the environment names no key. The judge signs a copy of the token with it. The verdict on
    /// that copy covers everything but the signature.
    StandIn(String),
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Known => "Known",
            Self::StandIn(_) => "StandIn(…)",
        })
    }
}

impl Judge {
    /// A judge with the settings of this environment.
    pub(crate) async fn new(environment: &Environment, source: &SecretSource) -> anyhow::Result<Self> {
        let has_key = [JWT_SECRET, JWT_SECRET_ARN, JWT_JWKS_URL].map(|key| environment.optional(key).is_some());
        let key = if has_key.contains(&true) { Key::Known } else { Key::StandIn(fresh_secret()?) };
        let mut environment = overlay(
            environment,
            // The judge stands for a system that requires tokens.
            [(AUTH_ENABLED, "true".to_owned())],
        );
        if let Key::StandIn(secret) = &key {
            environment = overlay(&environment, [(JWT_SECRET, secret.clone())]);
        }
        let tokens = TokenConfig::read(&environment)?.context("authentication is switched off")?;
        let secrets = match &tokens.keys {
            KeySource::SecretArn(arn) => source.aws(arn).await?,
            KeySource::Secret(_) | KeySource::Jwks(_) => aws_config("http://localhost:0"),
        };
        Ok(Self { verifier: AwsServices::all(secrets).verifier(tokens).await?, key })
    }

    /// True if the judge checks signatures.
    pub(crate) fn checks_signatures(&self) -> bool {
        matches!(self.key, Key::Known)
    }

    /// The verdict on this token for this tenant.
    pub(crate) async fn admit(&self, token: &str, tenant: &Tenant, now: EpochMillis) -> Result<Verified, Refusal> {
        let verdict = self.verifier.admit(token, tenant, now).await.map_err(|refused| refused.reason);
        match (&self.key, verdict) {
            (Key::StandIn(secret), Err(refusal @ (Refusal::Signature | Refusal::Algorithm))) => {
                let copy = copy(token, secret).ok_or(refusal)?;
                self.verifier.admit(&copy, tenant, now).await.map_err(|refused| refused.reason)
            }
            (_, verdict) => verdict,
        }
    }
}

/// The same claims, signed with this secret. `None` if the token's algorithm is unknown, such as `none`.
fn copy(token: &str, secret: &str) -> Option<String> {
    decode_header(token).ok()?;
    let claims = Unverified::read(token)?.claims;
    encode(&Header::default(), &claims, &EncodingKey::from_secret(secret.as_bytes())).ok()
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::*;

    const CLAIMS: &str = r#"{"sub":"me","role":"user","tenant":"demo","exp":100,"iss":"x"}"#;

    async fn verdict(header: &str, claims: &str, tenant: &str, pairs: &'static [(&str, &str)]) -> Result<(), Refusal> {
        let lookup = |name: &str| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        let judge = Judge::new(&Environment::new(lookup), &SecretSource::default()).await.unwrap();
        assert_eq!(judge.checks_signatures(), pairs.iter().any(|(name, _)| *name == "JWT_SECRET"));
        let token = format!("{}.{}.c2ln", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
        judge.admit(&token, &Tenant::parse(tenant).unwrap(), EpochMillis::new(99_999)).await.map(|_| ())
    }

    #[tokio::test]
    async fn without_a_key_all_but_the_signature_counts() {
        for alg in ["HS256", "RS256", "ES384", "EdDSA"] {
            let header = format!(r#"{{"alg":"{alg}","kid":"k"}}"#);
            assert_eq!(verdict(&header, CLAIMS, "demo", &[]).await, Ok(()), "{alg}");
        }
        let header = r#"{"alg":"HS256"}"#;
        assert_eq!(verdict(header, CLAIMS, "other", &[]).await, Err(Refusal::Tenant));
        assert_eq!(verdict(header, CLAIMS, "demo", &[("JWT_ISSUER", "y")]).await, Err(Refusal::Issuer));
        assert_eq!(verdict(header, &CLAIMS.replace("100", "99"), "demo", &[]).await, Err(Refusal::Expired));
        assert_eq!(verdict(header, &CLAIMS.replace("user", "root"), "demo", &[]).await, Err(Refusal::Role));
        assert!(verdict(r#"{"alg":"none"}"#, CLAIMS, "demo", &[]).await.is_err());
        assert!(verdict(r#"{"alg":"HS256","crit":["x"]}"#, CLAIMS, "demo", &[]).await.is_err());
    }

    #[tokio::test]
    async fn with_a_key_the_signature_counts() {
        let pairs = &[("JWT_SECRET", "0123456789abcdef0123456789abcdef"), ("AUTH_ENABLED", "false")];
        assert_eq!(verdict(r#"{"alg":"HS256"}"#, CLAIMS, "demo", pairs).await, Err(Refusal::Signature));
        assert_eq!(verdict(r#"{"alg":"RS256"}"#, CLAIMS, "demo", pairs).await, Err(Refusal::Algorithm));
    }
}
