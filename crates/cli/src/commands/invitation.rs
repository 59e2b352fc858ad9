use std::collections::BTreeSet;
use std::fmt::{self, Write};

use anyhow::Context;
use entity_stream_auth::{JwksCache, Role, SigningSecret};
use entity_stream_protocol::{EpochMillis, Tenant};
use entity_stream_runtime::Environment;
use entity_stream_runtime::environment::{AUTH_ENABLED, JWT_ISSUER, JWT_JWKS_URL, JWT_SECRET, JWT_SECRET_ARN};

use crate::lifetime::Lifetime;
use crate::token::{NewToken, fresh_secret, overlay};

/// The credentials for a local system that requires tokens. `Debug` shows neither token nor secret.
pub(crate) struct Invitation {
    /// The secret, if it was generated for this run.
    fresh: Option<String>,
    /// A token. `None` if only another party can sign tokens, or should.
    token: Option<String>,
}

impl Invitation {
    /// An invitation that uses the environment's key, or else a new secret.
    pub(crate) fn new(environment: &Environment, tenant: &Tenant, now: EpochMillis) -> anyhow::Result<Self> {
        let secret = environment.optional(JWT_SECRET);
        let is_discovered = secret.is_none()
            && environment.optional(JWT_ISSUER).is_some_and(|issuer| JwksCache::discover(&issuer).is_ok());
        let has_other_key = [JWT_SECRET_ARN, JWT_JWKS_URL].iter().any(|key| environment.optional(*key).is_some());
        if has_other_key || is_discovered {
            // A deployed system might accept the token too, so it must not be shown.
            return Ok(Self::without_token());
        }
        let fresh = if secret.is_none() { Some(fresh_secret()?) } else { None };
        let key = secret.or_else(|| fresh.clone()).unwrap_or_default();
        let key = SigningSecret::new(key).context("JWT_SECRET is too short")?;
        let token = NewToken {
            subject: "dev".to_owned(),
            role: Role::User,
            tenants: BTreeSet::from([tenant.clone()]),
            lifetime: Lifetime::DAY,
            bound_to: None,
            more: Vec::new(),
        };
        Ok(Self { fresh, token: Some(token.sign(&key, environment, now)?) })
    }

    /// An invitation without a token.
    pub(crate) fn without_token() -> Self {
        Self { fresh: None, token: None }
    }

    /// The environment in which the system requires tokens and accepts this one.
    pub(crate) fn environment(&self, environment: &Environment) -> Environment {
        let environment = overlay(environment, [(AUTH_ENABLED, "true".to_owned())]);
        match &self.fresh {
            Some(secret) => overlay(&environment, [(JWT_SECRET, secret.clone())]),
            None => environment,
        }
    }

    /// The part of the banner about tokens. Only this text shows a token and a secret. Both are valid on this machine only.
    pub(crate) fn text(&self, program: &str, tenant: &Tenant, try_it: &str) -> String {
        let mut text = String::new();
        let _ = match &self.token {
            Some(token) => writeln!(
                text,
                "  Connections require a token. This token is for the tenant {tenant} and lasts a day. Try:\n\n    \
                 ENTITY_STREAM_TOKEN={token} {try_it}\n"
            ),
            None => writeln!(text, "  Connections require a token. Try: ENTITY_STREAM_TOKEN=... {try_it}\n"),
        };
        if let Some(secret) = &self.fresh {
            let _ = writeln!(
                text,
                "  To create more tokens, in another terminal:\n\n    export JWT_SECRET={secret}\n    {program} token --tenant {tenant}\n"
            );
        }
        text.push_str("  Ctrl-C stops the system.\n");
        text
    }
}

impl fmt::Debug for Invitation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Invitation(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn invitation(pairs: &'static [(&str, &str)]) -> anyhow::Result<(Invitation, Environment)> {
        let lookup = |name: &str| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        let environment = Environment::new(lookup);
        let invitation = Invitation::new(&environment, &Tenant::parse("demo").unwrap(), EpochMillis::new(0))?;
        let environment = invitation.environment(&environment);
        assert_eq!(environment.optional(AUTH_ENABLED).as_deref(), Some("true"));
        Ok((invitation, environment))
    }

    #[test]
    fn a_new_secret_is_generated_only_if_no_key_is_set() {
        let text = |invitation: &Invitation| invitation.text("es", &Tenant::parse("demo").unwrap(), "es listen demo");
        let (fresh, environment) = invitation(&[("AUTH_ENABLED", "false")]).unwrap();
        let secret = environment.optional(JWT_SECRET).unwrap();
        assert!(text(&fresh).contains(&format!("export JWT_SECRET={secret}\n")));
        assert!(text(&fresh).contains("ENTITY_STREAM_TOKEN=eyJ") && !format!("{fresh:?}").contains("eyJ"));

        let (own, _) = invitation(&[("JWT_SECRET", "0123456789abcdef0123456789abcdef")]).unwrap();
        assert!(text(&own).contains("ENTITY_STREAM_TOKEN=eyJ") && !text(&own).contains("0123456789"));

        for pairs in [&[("JWT_JWKS_URL", "https://x")], &[("JWT_SECRET_ARN", "arn:aws:x")]] {
            let (none, environment) = invitation(pairs).unwrap();
            assert!(!text(&none).contains("eyJ") && environment.optional(JWT_SECRET).is_none());
        }
        assert!(invitation(&[("JWT_SECRET", "short")]).unwrap_err().to_string().contains("JWT_SECRET is too short"));
    }
}
