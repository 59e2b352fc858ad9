//! The tokens of each identity provider, with the settings of `docs/identity.md`, against a second implementation of the rule.
//!
//! The rule. A token is accepted for a tenant if
//!
//! 1. `iss` equals `JWT_ISSUER`;
//! 2. `aud`, or `client_id` as a text in a token without `aud`, names one of `JWT_AUDIENCE`, if that is set;
//! 3. `exp` is in the future, and `sub` is a text;
//! 4. one of the values in `JWT_ROLE_CLAIM`, a text or the `name` of an object, alone or in an array, is a role by `JWT_ROLES` or by
//!    its own name;
//! 5. one of the values in one of `JWT_TENANT_CLAIMS`, likewise, is the tenant, or the role is `super_admin`.

use std::collections::BTreeMap;

use entity_stream_auth::Refusal;
use entity_stream_clock::Clock;
use entity_stream_local::aws_config;
use entity_stream_protocol::Tenant;
use entity_stream_runtime::{AwsServices, Environment, TokenConfig};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Map, Value, json};

use crate::harness::tokens::{SECRET, in_seconds, token};

/// A provider: its settings, and the claims of a token for the tenant `smartcity`.
struct Provider {
    name: String,
    settings: Vec<(String, String)>,
    claims: Map<String, Value>,
}

/// The sections of the page that have settings.
fn providers() -> Vec<Provider> {
    let page = include_str!("../../../docs/identity.md");
    let sections: Vec<_> = page.split("\n## ").skip(1).filter(|section| section.contains("```sh\n")).collect();
    assert_eq!(sections.len(), 7);
    let provider = |section: &&str| {
        let block =
            |language: &str| section.split_once(&format!("```{language}\n")).unwrap().1.split_once("```").unwrap().0;
        let setting = |line: &str| {
            let (name, value) = line.strip_prefix("export ").unwrap().split_once('=').unwrap();
            (name.to_owned(), value.trim_matches('\'').to_owned())
        };
        Provider {
            name: section.lines().next().unwrap().to_owned(),
            settings: block("sh").lines().map(setting).collect(),
            claims: serde_json::from_str(block("json")).unwrap(),
        }
    };
    sections.iter().map(provider).collect()
}

fn setting<'a>(provider: &'a Provider, name: &str) -> Option<&'a str> {
    let set = provider.settings.iter().find(|(key, value)| key == name && !value.is_empty());
    set.map(|(_, value)| value.as_str())
}

/// A text, or the name of an object.
fn text(value: &Value) -> Option<&str> {
    value.as_str().or_else(|| value.get("name")?.as_str())
}

/// The rule, written a second time.
fn accepted(provider: &Provider, claims: &Map<String, Value>, tenant: &str) -> bool {
    let list = |name: &str, default: &str| -> Vec<String> {
        setting(provider, name)
            .unwrap_or(default)
            .split(',')
            .filter(|entry| !entry.is_empty())
            .map(str::to_owned)
            .collect()
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
    let named = match claims.get("aud").filter(|aud| !aud.is_null()) {
        Some(aud) => many(Some(aud.clone())),
        None => claims.get("client_id").filter(|client| client.is_string()).cloned().into_iter().collect(),
    };
    let all_are_texts = named.iter().all(Value::is_string);
    let is_meant = named.iter().any(|one| audiences.iter().any(|audience| one == audience));
    let is_for_us = is_meant && all_are_texts;
    if !audiences.is_empty() && !is_for_us {
        return false;
    }
    if claims.get("exp").and_then(Value::as_i64).is_none_or(|exp| exp <= in_seconds(0)) {
        return false;
    }
    if claims.get("sub").and_then(Value::as_str).is_none_or(str::is_empty) {
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
    let settings = provider.settings.clone();
    let environment = Environment::new(move |name| match name {
        "AUTH_ENABLED" => Some("true".to_owned()),
        "JWT_SECRET" => Some(SECRET.to_owned()),
        _ => settings.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone()),
    });
    let config = TokenConfig::read(&environment).unwrap().unwrap();
    let verifier = AwsServices::all(aws_config("http://localhost:0")).verifier(config).await.unwrap();
    let signed = token(&Value::Object(claims.clone()));
    let admitted = verifier.admit(&signed, &Tenant::parse(tenant).unwrap(), Clock::system().now()).await;
    admitted.map(drop).map_err(|refused| refused.reason)
}

fn sample(provider: &Provider) -> Map<String, Value> {
    let mut claims = provider.claims.clone();
    claims.insert("exp".to_owned(), json!(in_seconds(600)));
    claims
}

#[tokio::test]
async fn a_token_of_each_provider_is_accepted_for_its_tenant_only() {
    for provider in &providers() {
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
    for provider in &providers() {
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
            prop_assert_eq!(
                verdict.is_ok(),
                accepted(provider, &claims, tenant),
                "{} {:?}: {:?}",
                provider.name,
                claims,
                verdict
            );
            Ok(())
        });
        result.unwrap();
    }
}
