use std::collections::BTreeSet;

use anyhow::{Context, ensure};
use entity_stream_auth::{ADDRESS_SUBJECT, API_KEY_SUBJECT, Role, SUBJECT_BYTES, SigningSecret};
use entity_stream_protocol::{EpochMillis, Tenant};
use entity_stream_runtime::environment::JWT_ISSUER;
use entity_stream_runtime::{Environment, audiences};
use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::{Map, Value, json};

use crate::lifetime::Lifetime;
use crate::token::claims::{Claim, ClaimNames};

/// A token to be signed.
#[derive(Debug)]
pub(crate) struct NewToken {
    /// The subject.
    pub(crate) subject: String,
    /// The role of the bearer.
    pub(crate) role: Role,
    /// The tenants to which the role applies.
    pub(crate) tenants: BTreeSet<Tenant>,
    /// The lifetime, from now.
    pub(crate) lifetime: Lifetime,
    /// The thumbprint of the key to which the token is bound.
    pub(crate) bound_to: Option<String>,
    /// Additional claims.
    pub(crate) more: Vec<Claim>,
}

impl NewToken {
    /// Fails if the functions could not accept the token. This needs no secret.
    pub(crate) fn check(&self, environment: &Environment) -> anyhow::Result<()> {
        let names = ClaimNames::of(environment)?;
        let valid = (1..=SUBJECT_BYTES).contains(&self.subject.len());
        ensure!(valid, "--subject must be a name of 1 to {SUBJECT_BYTES} bytes");
        let is_of_an_address = self.subject.starts_with(ADDRESS_SUBJECT);
        ensure!(
            !is_of_an_address,
            "--subject must not begin with {ADDRESS_SUBJECT}, which is for clients without a credential"
        );
        let is_of_a_key = self.subject.starts_with(API_KEY_SUBJECT);
        ensure!(!is_of_a_key, "--subject must not begin with {API_KEY_SUBJECT}, which is for API keys");
        ensure!(
            !self.tenants.is_empty() || self.role == Role::SuperAdmin,
            "--tenant is missing; only --role super_admin needs none"
        );
        ensure!(
            self.tenants.is_empty() || self.role != Role::SuperAdmin,
            "--tenant does not limit a super_admin, who may listen to all tenants; leave it out, or pass --role tenant_admin"
        );
        let mut seen = BTreeSet::new();
        for claim in &self.more {
            claim.check(&names)?;
            ensure!(seen.insert(&claim.name), "--claim: `{}` appears twice; pass it once", claim.name);
        }
        Ok(())
    }

    /// Signs the token with HS256. Functions with these settings and this secret accept it.
    pub(crate) fn sign(
        self,
        secret: &SigningSecret,
        environment: &Environment,
        now: EpochMillis,
    ) -> anyhow::Result<String> {
        let names = ClaimNames::of(environment)?;
        let mut claims = Map::new();
        claims.extend(self.more.into_iter().map(|claim| (claim.name, claim.value)));
        let tenants: Vec<&str> = self.tenants.iter().map(Tenant::as_str).collect();
        let tenants = match tenants.as_slice() {
            [] => None,
            [tenant] => Some(Value::from(*tenant)),
            tenants => Some(tenants.into()),
        };
        let set = [
            ("sub", Some(self.subject.into())),
            (names.role(), Some(self.role.as_str().into())),
            (names.tenant(), tenants),
            ("iat", Some(now.seconds().into())),
            ("exp", Some(self.lifetime.from(now).seconds().into())),
            ("iss", environment.optional(JWT_ISSUER).map(Value::from)),
            ("aud", audience(&audiences(environment)?)),
            ("cnf", self.bound_to.map(|key| json!({ "jkt": key }))),
        ];
        claims.extend(set.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
        // The default is HS256, which every verifier with a secret allows.
        encode(&Header::default(), &claims, &EncodingKey::from_secret(secret.expose())).context("cannot sign the token")
    }
}

/// The claim for the audiences that the functions accept: a text for one, an array for several.
fn audience(audiences: &[String]) -> Option<Value> {
    match audiences {
        [] => None,
        [audience] => Some(audience.as_str().into()),
        audiences => Some(audiences.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use entity_stream_auth::{Refusal, TokenKeys, Unverified, Verifier};
    use entity_stream_protocol::AccessToken;

    use super::*;

    fn secret() -> SigningSecret {
        SigningSecret::new("0123456789abcdef0123456789abcdef").unwrap()
    }

    fn new(role: Role, tenants: &[&str]) -> NewToken {
        let tenants = tenants.iter().map(|tenant| Tenant::parse(tenant).unwrap()).collect();
        NewToken {
            subject: "me".to_owned(),
            role,
            tenants,
            lifetime: "1h".parse().unwrap(),
            bound_to: None,
            more: vec![],
        }
    }

    fn environment(pairs: &'static [(&str, &str)]) -> Environment {
        Environment::new(|name| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
    }

    fn claims(token: NewToken, environment: &Environment) -> Map<String, Value> {
        let token = token.sign(&secret(), environment, EpochMillis::new(1_000_999)).unwrap();
        Unverified::read(&token).unwrap().claims
    }

    #[tokio::test]
    async fn a_signed_token_is_accepted_under_the_same_settings() {
        let environment = environment(&[
            ("JWT_ISSUER", "https://issuer"),
            ("JWT_AUDIENCE", "stream"),
            ("JWT_TENANT_CLAIMS", "custom:tenant,tenant"),
            ("JWT_ROLE_CLAIM", "realm_access.roles"),
        ]);
        let now = EpochMillis::new(1_000_000_000);
        let token = new(Role::TenantAdmin, &["A", "b", "a"]).sign(&secret(), &environment, now).unwrap();
        let verifier =
            Verifier::new(TokenKeys::Secret(secret()), ClaimNames::of(&environment).unwrap().paths().clone())
                .with_issuer(Some("https://issuer".to_owned()))
                .with_audiences(vec!["stream".to_owned()]);
        let token = AccessToken::new(&token).unwrap();
        let identity = verifier.verify(&token, now).await.unwrap().identity;
        assert_eq!((identity.subject.as_str(), identity.role, identity.tenants.len()), ("me", Role::TenantAdmin, 2));
        let end = now.plus(Duration::from_secs(3600));
        assert_eq!(identity.expires_at, Some(end));
        let refused = verifier.verify(&token, end).await.unwrap_err();
        assert_eq!((refused.reason, refused.subject.as_deref()), (Refusal::Expired, Some("me")));
    }

    #[test]
    fn claims_have_the_documented_form() {
        let bare = environment(&[]);
        let mut token = new(Role::User, &["demo"]);
        token.more = vec!["nbf=7".parse().unwrap()];
        let expected = r#"{"exp":4600,"iat":1000,"nbf":7,"role":"user","sub":"me","tenant":"demo"}"#;
        assert_eq!(serde_json::to_string(&claims(token, &bare)).unwrap(), expected);
        assert_eq!(claims(new(Role::User, &["b", "a"]), &bare)["tenant"], serde_json::json!(["a", "b"]));
        assert!(!claims(new(Role::SuperAdmin, &[]), &bare).contains_key("tenant"));
    }

    #[test]
    fn an_invalid_option_is_named() {
        let error = |token: NewToken| token.check(&environment(&[])).unwrap_err();
        assert!(error(new(Role::User, &[])).to_string().contains("--role super_admin"));
        assert!(
            error(NewToken { subject: String::new(), ..new(Role::User, &["a"]) }).to_string().contains("--subject")
        );
        assert!(
            error(NewToken { subject: "key:robot".to_owned(), ..new(Role::User, &["a"]) }).to_string().contains("key:")
        );
        let twice = vec!["a=1".parse().unwrap(), "a=2".parse().unwrap()];
        assert!(error(NewToken { more: twice, ..new(Role::User, &["a"]) }).to_string().contains("twice"));
        let reserved = vec!["role=super_admin".parse().unwrap()];
        assert!(error(NewToken { more: reserved, ..new(Role::User, &["a"]) }).to_string().contains("`role`"));
    }
}
