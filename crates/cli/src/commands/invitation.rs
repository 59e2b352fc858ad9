use std::collections::BTreeSet;
use std::fmt::{self, Write};

use anyhow::Context;
use entity_stream_auth::{Role, SigningSecret};
use entity_stream_protocol::{EpochMillis, Tenant};
use entity_stream_runtime::Environment;
use entity_stream_runtime::environment::{AUTH_ENABLED, JWT_JWKS_URL, JWT_SECRET, JWT_SECRET_ARN};

use crate::lifetime::Lifetime;
use crate::token::{NewToken, fresh_secret, overlay};

/// How to be let into a local system that asks for tokens. `Debug` shows neither token nor secret.
pub(crate) struct Invitation {
    /// The secret, if it was made for this run; whoever set one has it.
    fresh: Option<String>,
    /// A token; none where only somebody else can sign one, or should.
    token: Option<String>,
}

impl Invitation {
    /// With the environment's key if it has one, and a fresh secret if not.
    pub(crate) fn new(environment: &Environment, tenant: &Tenant, now: EpochMillis) -> anyhow::Result<Self> {
        let secret = environment.optional(JWT_SECRET);
        if environment.optional(JWT_SECRET_ARN).is_some() || environment.optional(JWT_JWKS_URL).is_some() {
            // A token that a deployed system would accept too has no place on the screen.
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
            more: Vec::new(),
        };
        Ok(Self { fresh, token: Some(token.sign(&key, environment, now)?) })
    }

    /// Where nobody asked for a token, but one is needed.
    pub(crate) fn without_token() -> Self {
        Self { fresh: None, token: None }
    }

    /// The environment in which tokens are asked for, and this one is accepted.
    pub(crate) fn environment(&self, environment: &Environment) -> Environment {
        let environment = overlay(environment, [(AUTH_ENABLED, "true".to_owned())]);
        match &self.fresh {
            Some(secret) => overlay(&environment, [(JWT_SECRET, secret.clone())]),
            None => environment,
        }
    }

    /// The banner's part about it. This is the one place that shows a token and a secret: both are of this machine.
    pub(crate) fn text(&self, program: &str, tenant: &Tenant, try_it: &str) -> String {
        let mut text = String::new();
        let _ = match &self.token {
            Some(token) => writeln!(
                text,
                "  A connection needs a token. This one is for the tenant {tenant}, for a day. Try:\n\n    \
                 ENTITY_STREAM_TOKEN={token} {try_it}\n"
            ),
            None => writeln!(text, "  A connection needs a token. Try: ENTITY_STREAM_TOKEN=... {try_it}\n"),
        };
        if let Some(secret) = &self.fresh {
            let _ = writeln!(
                text,
                "  More tokens, in another terminal:\n\n    export JWT_SECRET={secret}\n    {program} token --tenant {tenant}\n"
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
    fn a_fresh_secret_is_made_only_where_no_key_is_set() {
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
