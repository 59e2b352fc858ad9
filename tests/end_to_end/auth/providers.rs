//! The tokens of each identity provider, with the settings of `docs/identity.md`, against a second implementation of the rule.
//!
//! The rule. A token is accepted for a tenant if
//!
//! 1. `iss` equals `JWT_ISSUER`;
//! 2. `aud`, or `client_id` in a token without `aud`, names one of `JWT_AUDIENCE`, if that is set;
//! 3. `exp` is in the future, and `sub` is a text;
//! 4. one of the values in `JWT_ROLE_CLAIM`, a text or the `name` of an object, alone or in an array, is a role by `JWT_ROLES` or by
//!    its own name;
//! 5. one of the values in one of `JWT_TENANT_CLAIMS`, likewise, is the tenant, or the role is `super_admin`.

use std::collections::BTreeMap;

use entity_stream_auth::Refusal;
use entity_stream_clock::Clock;
use entity_stream_protocol::Tenant;
use entity_stream_runtime::{AwsServices, Environment, TokenConfig};
use entity_stream_local::aws_config;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Map, Value, json};

use crate::harness::tokens::{SECRET, in_seconds, token};

/// A provider: its settings, and the claims of a token for the tenant `smartcity`.
struct Provider {
    name: &'static str,
    settings: &'static [(&'static str, &'static str)],
    claims: fn() -> Value,
}

const PROVIDERS: [Provider; 7] = [
    Provider {
        name: "Keycloak",
        settings: &[
            ("JWT_ISSUER", "https://id.example.com/realms/city"),
            ("JWT_AUDIENCE", "entity-stream"),
            ("JWT_TENANT_CLAIMS", "tenant"),
            ("JWT_ROLE_CLAIM", "realm_access.roles"),
        ],
        claims: || {
            json!({
                "iss": "https://id.example.com/realms/city", "aud": ["entity-stream", "account"], "azp": "dashboard",
                "sub": "5f0c3c1e-6f0b-4f0e-9a55-0d3d5b0f7a11", "typ": "Bearer", "tenant": "smartcity",
                "realm_access": { "roles": ["offline_access", "uma_authorization", "user"] },
            })
        },
    },
    Provider {
        name: "Keyrock",
        settings: &[
            ("JWT_TENANT_CLAIMS", "organizations"),
            ("JWT_ROLE_CLAIM", "roles"),
            ("JWT_ROLES", "Provider=tenant_admin,viewer=user"),
        ],
        claims: || {
            json!({
                "sub": "6e396def-3fa9-4ff9-84eb-266c13e93964", "displayName": "alice", "app_id": "3dc9a4f4",
                "app_azf_domain": "", "isGravatarEnabled": false,
                "organizations": [{ "id": "23386aaf", "name": "smartcity", "roles": [] }],
                "roles": [{ "id": "4d4dd9a0", "name": "viewer" }, { "id": "purchaser", "name": "Purchaser" }],
            })
        },
    },
    Provider {
        name: "Cognito, access token",
        settings: &[
            ("JWT_ISSUER", "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Ab1Cd2Ef3"),
            ("JWT_AUDIENCE", "4h1example5client,7k2other9client"),
            ("JWT_TENANT_CLAIMS", "tenant"),
            ("JWT_ROLE_CLAIM", "cognito:groups"),
            ("JWT_ROLES", "viewers=user,operators=tenant_admin"),
        ],
        claims: || {
            json!({
                "iss": "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Ab1Cd2Ef3", "client_id": "7k2other9client",
                "sub": "a1b2c3d4-0000-4000-8000-000000000001", "token_use": "access", "scope": "openid",
                "cognito:groups": ["viewers"], "tenant": "smartcity", "username": "alice",
            })
        },
    },
    Provider {
        name: "Cognito, id token",
        settings: &[
            ("JWT_ISSUER", "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Ab1Cd2Ef3"),
            ("JWT_AUDIENCE", "4h1example5client"),
            ("JWT_TENANT_CLAIMS", "custom:tenant"),
            ("JWT_ROLE_CLAIM", "cognito:groups"),
            ("JWT_ROLES", "viewers=user,operators=tenant_admin"),
        ],
        claims: || {
            json!({
                "iss": "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Ab1Cd2Ef3", "aud": "4h1example5client",
                "sub": "a1b2c3d4-0000-4000-8000-000000000001", "token_use": "id", "cognito:username": "alice",
                "cognito:groups": ["operators"], "custom:tenant": "smartcity",
            })
        },
    },
    Provider {
        name: "Auth0",
        settings: &[
            ("JWT_ISSUER", "https://city.eu.auth0.com/"),
            ("JWT_AUDIENCE", "https://stream.example.com"),
            ("JWT_TENANT_CLAIMS", "https://stream.example.com/tenant"),
            ("JWT_ROLE_CLAIM", "https://stream.example.com/roles"),
        ],
        claims: || {
            json!({
                "iss": "https://city.eu.auth0.com/", "sub": "auth0|66f0c2a1b3",
                "aud": ["https://stream.example.com", "https://city.eu.auth0.com/userinfo"], "azp": "Xb3example",
                "https://stream.example.com/tenant": "smartcity", "https://stream.example.com/roles": ["user"],
            })
        },
    },
    Provider {
        name: "Entra ID",
        settings: &[
            ("JWT_ISSUER", "https://login.microsoftonline.com/11111111-2222-3333-4444-555555555555/v2.0"),
            ("JWT_AUDIENCE", "66666666-7777-8888-9999-000000000000"),
            ("JWT_TENANT_CLAIMS", "extn.tenant"),
            ("JWT_ROLE_CLAIM", "roles"),
            ("JWT_ROLES", "Stream.Read=user,Stream.Admin=tenant_admin"),
        ],
        claims: || {
            json!({
                "iss": "https://login.microsoftonline.com/11111111-2222-3333-4444-555555555555/v2.0", "ver": "2.0",
                "aud": "66666666-7777-8888-9999-000000000000", "sub": "AAAAexample", "roles": ["Stream.Read"],
                "tid": "11111111-2222-3333-4444-555555555555", "extn.tenant": ["smartcity"],
            })
        },
    },
    Provider {
        name: "GeonicDB",
        settings: &[("JWT_ROLES", "api_key=user,oauth_client=user")],
        claims: || {
            json!({
                "sub": "user-1", "role": "tenant_admin", "tenantId": "5b8f7f3e-1111-4222-8333-944455556666",
                "tenantName": "smartcity",
            })
        },
    },
];

fn setting<'a>(provider: &'a Provider, name: &str) -> Option<&'a str> {
    provider.settings.iter().find(|(key, _)| *key == name).map(|(_, value)| *value)
}

/// A text, or the name of an object.
fn text(value: &Value) -> Option<&str> {
    value.as_str().or_else(|| value.get("name")?.as_str())
}

/// The rule, written a second time.
fn accepted(provider: &Provider, claims: &Map<String, Value>, tenant: &str) -> bool {
    let list = |name: &str, default: &str| -> Vec<String> {
        setting(provider, name).unwrap_or(default).split(',').filter(|entry| !entry.is_empty()).map(str::to_owned).collect()
    };
    let many = |value: Option<Value>| match value {
        Some(Value::Array(several)) => several,
        other => other.into_iter().collect(),
    };
    // The names of the providers are unambiguous: a claim of the whole name, or a member of an object.
    let find = |path: &str| match (claims.get(path), path.split_once('.')) {
        (Some(value), _) => Some(value.clone()),
        (None, Some((outer, inner))) => claims.get(outer)?.get(inner).cloned(),
        (None, None) => None,
    };
    if setting(provider, "JWT_ISSUER").is_some_and(|issuer| claims.get("iss") != Some(&json!(issuer))) {
        return false;
    }
    let audiences = list("JWT_AUDIENCE", "");
    let aud = claims.get("aud").filter(|aud| !aud.is_null()).or_else(|| claims.get("client_id"));
    let named = many(aud.cloned());
    let all_are_texts = named.iter().all(Value::is_string);
    let is_meant = named.iter().any(|one| audiences.iter().any(|audience| one == audience));
    if !audiences.is_empty() && !(is_meant && all_are_texts) {
        return false;
    }
    if !claims.get("exp").and_then(Value::as_i64).is_some_and(|exp| exp > in_seconds(0)) {
        return false;
    }
    if !claims.get("sub").and_then(Value::as_str).is_some_and(|sub| !sub.is_empty()) {
        return false;
    }
    let roles: BTreeMap<String, String> = list("JWT_ROLES", "")
        .iter()
        .map(|pair| pair.split_once('=').map(|(name, role)| (name.to_owned(), role.to_owned())).unwrap())
        .collect();
    let known = many(find(setting(provider, "JWT_ROLE_CLAIM").unwrap_or("role")));
    let known: Vec<String> = known
        .iter()
        .filter_map(text)
        .map(|name| roles.get(name).cloned().unwrap_or_else(|| name.to_owned()))
        .filter(|role| ["user", "tenant_admin", "super_admin"].contains(&role.as_str()))
        .collect();
    let tenants = list("JWT_TENANT_CLAIMS", "tenant,tenantId,tenantName");
    let names = tenants.iter().flat_map(|path| many(find(path)));
    let is_own = names.into_iter().any(|name| text(&name).is_some_and(|name| name.eq_ignore_ascii_case(tenant)));
    !known.is_empty() && (is_own || known.contains(&"super_admin".to_owned()))
}

async fn verdict(provider: &Provider, claims: &Map<String, Value>, tenant: &str) -> Result<(), Refusal> {
    let settings = provider.settings;
    let environment = Environment::new(move |name| match name {
        "AUTH_ENABLED" => Some("true".to_owned()),
        "JWT_SECRET" => Some(SECRET.to_owned()),
        _ => settings.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()),
    });
    let config = TokenConfig::read(&environment).unwrap().unwrap();
    let verifier = AwsServices::all(aws_config("http://localhost:0")).verifier(config).await.unwrap();
    let signed = token(&Value::Object(claims.clone()));
    let admitted = verifier.admit(&signed, &Tenant::parse(tenant).unwrap(), Clock::system().now()).await;
    admitted.map(drop).map_err(|refused| refused.reason)
}

fn sample(provider: &Provider) -> Map<String, Value> {
    let Value::Object(mut claims) = (provider.claims)() else { panic!("claims are an object") };
    claims.insert("exp".to_owned(), json!(in_seconds(600)));
    claims
}

#[tokio::test]
async fn a_token_of_each_provider_is_accepted_for_its_tenant_only() {
    for provider in &PROVIDERS {
        let claims = sample(provider);
        assert_eq!(verdict(provider, &claims, "smartcity").await, Ok(()), "{}", provider.name);
        assert_eq!(verdict(provider, &claims, "other").await, Err(Refusal::Tenant), "{}", provider.name);
        for (name, reason) in [("iss", Refusal::Issuer), ("exp", Refusal::NoExpiry), ("sub", Refusal::Subject)] {
            let mut without = claims.clone();
            if without.remove(name).is_some() {
                assert_eq!(verdict(provider, &without, "smartcity").await, Err(reason), "{} {name}", provider.name);
            }
        }
    }
}

/// A change of one claim: it is removed, or has a value that some provider writes somewhere.
fn change() -> impl Strategy<Value = (prop::sample::Index, Option<Value>)> {
    let values = prop::sample::select(vec![
        json!(null),
        json!(""),
        json!("smartcity"),
        json!("SmartCity"),
        json!("other"),
        json!(["other", "smartcity"]),
        json!([["smartcity"]]),
        json!("user"),
        json!("super_admin"),
        json!(["viewers", "root"]),
        json!(["x", "super_admin"]),
        json!([{ "id": "user" }, { "name": "viewer" }]),
        json!({ "name": "user" }),
        json!([{ "name": "Provider" }]),
        json!({ "roles": ["user"] }),
        json!({ "roles": "tenant_admin", "tenant": "smartcity" }),
        json!("entity-stream"),
        json!(["entity-stream", 7]),
        json!("4h1example5client"),
        json!(["https://stream.example.com", "4h1example5client", "entity-stream"]),
        json!("Stream.Read"),
        json!("api_key"),
        json!(7),
        json!(-7),
        json!(4_102_444_800_i64),
    ]);
    (any::<prop::sample::Index>(), prop::option::weighted(0.85, values))
}

#[test]
fn tokens_are_accepted_exactly_according_to_the_rule() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let names = ["iss", "aud", "client_id", "exp", "sub", "role", "roles", "tenant", "tenantId", "tenantName"];
    for provider in &PROVIDERS {
        let claims = sample(provider);
        let mut known: Vec<String> = claims.keys().cloned().chain(names.map(str::to_owned)).collect();
        known.sort();
        known.dedup();
        let mut runner = TestRunner::new(Config { cases: 300, failure_persistence: None, ..Config::default() });
        let tenant = prop::sample::select(vec!["smartcity", "other"]);
        let cases = (prop::collection::vec(change(), 0..3), tenant);
        let result = runner.run(&cases, |(changes, tenant)| {
            let mut claims = claims.clone();
            for (index, value) in changes {
                let name = index.get(&known).clone();
                match value {
                    Some(value) => claims.insert(name, value),
                    None => claims.remove(&name),
                };
            }
            let verdict = runtime.block_on(verdict(provider, &claims, tenant));
            prop_assert_eq!(verdict.is_ok(), accepted(provider, &claims, tenant), "{} {:?}: {:?}", provider.name, claims, verdict);
            Ok(())
        });
        result.unwrap();
    }
}
