//! The keys of an issuer that only `JWT_ISSUER` names.

use std::time::{Duration, Instant};

use entity_stream_auth::{ClaimPaths, JwksCache, JwksTimes, Refusal, TokenKeys, Verifier};
use entity_stream_clock::Clock;
use entity_stream_local::Config;
use entity_stream_protocol::AccessToken;
use entity_stream_runtime::Environment;
use serde_json::{Value, json};

use super::{guarded_config, refused};
use crate::harness::tokens::{ProviderKey, claims, key_set};
use crate::harness::{Endpoint, Reply, System};

/// An issuer whose configuration `configuration` changes, given the URL of the issuer.
async fn issuer(keys: String, configuration: impl Fn(&str) -> Value + Send + Sync + 'static) -> Endpoint {
    Endpoint::new(move |asked| match asked.path.as_str() {
        "/realm/.well-known/openid-configuration" => {
            let host = asked.headers["host"].to_str().unwrap();
            Reply::json(configuration(&format!("http://{host}/realm")).to_string())
        }
        "/realm/certs" => Reply::json(keys.clone()),
        _ => Reply::status(404),
    })
    .await
}

fn plain(issuer: &str) -> Value {
    json!({ "issuer": issuer, "jwks_uri": format!("{issuer}/certs"), "token_endpoint": "https://x", "more": [1] })
}

fn verifier(issuer: &str) -> Verifier {
    let times = JwksTimes { first_cool_down: Duration::ZERO, ..JwksTimes::default() };
    Verifier::new(TokenKeys::Jwks(JwksCache::discover(issuer).unwrap().with_times(times)), ClaimPaths::default())
}

async fn verify(verifier: &Verifier, token: &str) -> Result<(), Refusal> {
    let token = AccessToken::new(token).unwrap();
    verifier.verify(&token, Clock::system().now()).await.map(drop).map_err(|refused| refused.reason)
}

#[tokio::test]
async fn the_issuer_alone_is_enough() {
    let key = ProviderKey::rsa("one");
    let endpoint = issuer(key_set([&key]), plain).await;
    let url = format!("{}/realm", endpoint.url);
    let setting = url.clone();
    let environment = Environment::new(move |name| (name == "JWT_ISSUER").then(|| setting.clone()));
    let system = System::start_with(Config { environment, ..guarded_config(&[]) }).await;
    let of = |issuer: &str| {
        let mut claims = claims("demo");
        claims["iss"] = json!(issuer);
        key.token(&claims)
    };
    assert!(endpoint.asked().is_empty(), "nothing is fetched before it is needed");
    for _ in 0..3 {
        assert_eq!(refused(&system, "demo", &of(&url)).await, 0);
    }
    assert_eq!(refused(&system, "demo", &of("https://other.example.com")).await, 401);
    let paths: Vec<_> = endpoint.asked().into_iter().map(|asked| asked.path).collect();
    assert_eq!(paths, ["/realm/.well-known/openid-configuration", "/realm/certs"], "each is fetched once");
}

#[tokio::test]
async fn a_slash_at_the_end_of_the_issuer_belongs_to_it() {
    let key = ProviderKey::ec("one");
    let endpoint =
        issuer(key_set([&key]), |url| json!({ "issuer": format!("{url}/"), "jwks_uri": format!("{url}/certs") })).await;
    let token = key.token(&claims("demo"));
    assert_eq!(verify(&verifier(&format!("{}/realm/", endpoint.url)), &token).await, Ok(()));
    let without = verifier(&format!("{}/realm", endpoint.url));
    assert_eq!(verify(&without, &token).await, Err(Refusal::KeysUnavailable), "it is another issuer");
}

#[tokio::test]
async fn a_configuration_that_cannot_be_trusted_names_no_keys() {
    let key = ProviderKey::ec("one");
    let token = key.token(&claims("demo"));
    let configurations: [fn(&str) -> Value; 8] = [
        |_| json!({}),
        |_| json!([]),
        |url| json!({ "issuer": url }),
        |url| json!({ "jwks_uri": format!("{url}/certs") }),
        |url| json!({ "issuer": "https://other.example.com", "jwks_uri": format!("{url}/certs") }),
        |url| json!({ "issuer": url, "jwks_uri": "http://id.example.com/certs" }),
        |url| json!({ "issuer": url, "jwks_uri": "/realm/certs" }),
        |url| json!({ "issuer": url, "jwks_uri": format!("{url}/nothing") }),
    ];
    for (index, configuration) in configurations.into_iter().enumerate() {
        let endpoint = issuer(key_set([&key]), configuration).await;
        let verdict = verify(&verifier(&format!("{}/realm", endpoint.url)), &token).await;
        assert_eq!(verdict, Err(Refusal::KeysUnavailable), "configuration {index}: to be tried again");
    }
}

#[tokio::test]
async fn an_issuer_that_does_not_answer_delays_a_client_by_one_time_out() {
    let endpoint = Endpoint::script([Reply::Never]).await;
    let (fetch_timeout, first_cool_down) = (Duration::from_secs(2), Duration::from_secs(60));
    let times = JwksTimes { fetch_timeout, first_cool_down, ..JwksTimes::default() };
    let cache = JwksCache::discover(&format!("{}/realm", endpoint.url)).unwrap().with_times(times);
    let verifier = Verifier::new(TokenKeys::Jwks(cache), ClaimPaths::default());
    let (token, started) = (ProviderKey::ec("one").token(&claims("demo")), Instant::now());
    assert_eq!(verify(&verifier, &token).await, Err(Refusal::KeysUnavailable));
    assert_eq!(verify(&verifier, &token).await, Err(Refusal::KeysUnavailable));
    assert_eq!(endpoint.asked().len(), 1);
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
}

#[test]
fn issuers_are_https_urls() {
    for issuer in
        ["", "demo", "http://id.example.com", "https://", "https://id.example.com?x", "https://id.example.com#x"]
    {
        assert!(JwksCache::discover(issuer).is_err(), "{issuer:?}");
    }
    for issuer in ["https://id.example.com", "https://id.example.com/realms/demo/", "http://localhost:8080/realms/demo"]
    {
        assert!(JwksCache::discover(issuer).is_ok(), "{issuer}");
    }
}
