//! The public keys of an identity provider, over real HTTP.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use entity_stream_auth::{ClaimPaths, JwksCache, JwksTimes, Refusal, TokenKeys, Verifier};
use entity_stream_clock::Clock;
use entity_stream_protocol::{AccessToken, ErrorCode};
use futures_util::future::join_all;
use jsonwebtoken::{Algorithm, Header};
use serde_json::json;

use super::{guarded_config, open, refused};
use crate::harness::tokens::{ProviderKey, assemble, claims, key_set, sign};
use crate::harness::{Endpoint, Reply, System, until};
use entity_stream_local::{Config, RefuseWith};
use entity_stream_runtime::Environment;

const AT_ONCE: Duration = Duration::ZERO;
const LATER: Duration = Duration::from_secs(3600);

fn verifier(endpoint: &Endpoint, fetch_timeout: Duration, cool_down: Duration) -> Verifier {
    let usual = JwksTimes::default();
    verifier_with(endpoint, JwksTimes { fetch_timeout, cool_down, first_cool_down: cool_down, ..usual })
}

fn verifier_with(endpoint: &Endpoint, times: JwksTimes) -> Verifier {
    let cache = JwksCache::new(&format!("{}/keys", endpoint.url)).unwrap().with_times(times);
    Verifier::new(TokenKeys::Jwks(cache), ClaimPaths::default())
}

async fn verify(verifier: &Verifier, token: &str) -> Result<String, Refusal> {
    let token = AccessToken::new(token).unwrap();
    let identity = verifier.verify(&token, Clock::system().now()).await;
    identity.map(|verified| verified.identity.subject).map_err(|refused| refused.reason)
}

#[tokio::test]
async fn a_providers_tokens_open_connections() {
    let (rsa, ec) = (ProviderKey::rsa("rsa-1"), ProviderKey::ec("ec-1"));
    let (ec_384, ed) = (ProviderKey::ec_384("ec-2"), ProviderKey::ed("ed-1"));
    let endpoint = Endpoint::script([Reply::json(key_set([&rsa, &ec, &ec_384, &ed]))]).await;
    let url = format!("{}/keys", endpoint.url);
    let environment = Environment::new(move |name| (name == "JWT_JWKS_URL").then(|| url.clone()));
    let system = System::start_with(Config { environment, ..guarded_config(&[]) }).await;
    assert!(endpoint.asked().is_empty(), "nothing is fetched before it is needed");
    for token in [
        rsa.token(&claims("demo")),
        rsa.token_as(Algorithm::PS256, &claims("demo")),
        rsa.token_as(Algorithm::RS512, &claims("demo")),
        ec.token(&claims("demo")),
        ec_384.token(&claims("demo")),
        ed.token(&claims("demo")),
    ] {
        assert_eq!(refused(&system, "demo", &token).await, 0);
        assert_eq!(refused(&system, "other", &token).await, 403);
    }
    assert_eq!(endpoint.asked().len(), 1, "fetched once");
}

#[tokio::test]
async fn a_public_key_is_no_secret() {
    let (rsa, ec) = (ProviderKey::rsa("rsa-1"), ProviderKey::ec("ec-1"));
    let mut keys: serde_json::Value = serde_json::from_str(&key_set([&rsa, &ec])).unwrap();
    let symmetric = json!({ "kty": "oct", "kid": "oct-1", "k": "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0" });
    keys["keys"].as_array_mut().unwrap().push(symmetric);
    let endpoint = Endpoint::script([Reply::json(keys.to_string())]).await;
    let verifier = verifier(&endpoint, Duration::from_secs(3), AT_ONCE);
    let header = |kid: &str, algorithm| Header { kid: Some(kid.to_owned()), ..Header::new(algorithm) };
    let modulus = rsa.jwk()["n"].as_str().unwrap().to_owned();
    let public: Vec<Vec<u8>> = vec![
        modulus.clone().into_bytes(),
        rsa.jwk().to_string().into_bytes(),
        base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, &modulus).unwrap(),
    ];
    for secret in public {
        let forged = sign(&header("rsa-1", Algorithm::HS256), &claims("demo"), &secret);
        assert_eq!(verify(&verifier, &forged).await, Err(Refusal::Algorithm), "HMAC with a public key");
    }
    let symmetric = sign(&header("oct-1", Algorithm::HS256), &claims("demo"), b"secretsecretsecretsecretsecret");
    assert_eq!(verify(&verifier, &symmetric).await, Err(Refusal::Algorithm), "a published symmetric key is not used");
    for (kid, algorithm) in [
        ("rsa-1", "ES256"),
        ("ec-1", "RS256"),
        ("ec-1", "ES384"),
        ("rsa-1", "none"),
        ("rsa-1", "EdDSA"),
        ("ec-1", "ES512"),
        ("ec-1", "ES256K"),
    ] {
        let forged = assemble(&json!({ "alg": algorithm, "kid": kid }), &claims("demo"), "AAAA");
        let refusal = verify(&verifier, &forged).await.unwrap_err();
        assert_eq!(refusal, Refusal::Algorithm, "{kid} as {algorithm}");
    }
    let stolen_id = ProviderKey::rsa("rsa-1").token(&claims("demo"));
    assert_eq!(verify(&verifier, &stolen_id).await, Err(Refusal::Signature));
}

#[tokio::test]
async fn a_key_with_an_algorithm_is_used_only_with_it() {
    let rsa = ProviderKey::rsa("rsa-1");
    let mut jwk = rsa.jwk();
    jwk["alg"] = json!("RS256");
    let endpoint = Endpoint::script([Reply::json(json!({ "keys": [jwk] }).to_string())]).await;
    let verifier = verifier(&endpoint, Duration::from_secs(3), AT_ONCE);
    assert!(verify(&verifier, &rsa.token(&claims("demo"))).await.is_ok());
    let other = rsa.token_as(Algorithm::PS256, &claims("demo"));
    assert_eq!(verify(&verifier, &other).await, Err(Refusal::Algorithm));
}

#[tokio::test]
async fn a_withdrawn_key_is_refused_once_the_keys_are_old() {
    let (old, new) = (ProviderKey::ec("old"), ProviderKey::ec("new"));
    let endpoint = Endpoint::script([Reply::json(key_set([&old])), Reply::json(key_set([&new]))]).await;
    let times = JwksTimes { fresh: Duration::ZERO, cool_down: AT_ONCE, ..JwksTimes::default() };
    let verifier = verifier_with(&endpoint, times);
    assert!(verify(&verifier, &old.token(&claims("demo"))).await.is_ok());
    let withdrawn = verify(&verifier, &old.token(&claims("demo"))).await;
    assert_eq!(withdrawn, Err(Refusal::UnknownKey), "the first connection already gets the refusal");
    assert!(verify(&verifier, &new.token(&claims("demo"))).await.is_ok());
}

#[tokio::test]
async fn old_keys_work_while_the_endpoint_is_down_and_only_one_client_waits() {
    let key = ProviderKey::ec("one");
    for outage in [Reply::status(503), Reply::Reset, Reply::Never] {
        let endpoint = Endpoint::script([Reply::json(key_set([&key])), outage]).await;
        let usual = JwksTimes::default();
        let fetch_timeout = Duration::from_secs(2);
        let times = JwksTimes { fetch_timeout, fresh: Duration::ZERO, cool_down: AT_ONCE, ..usual };
        let verifier = verifier_with(&endpoint, times);
        for _ in 0..3 {
            assert!(verify(&verifier, &key.token(&claims("demo"))).await.is_ok());
        }
        assert_eq!(endpoint.asked().len(), 3);
    }
    let endpoint = Endpoint::script([Reply::json(key_set([&key])), Reply::Never]).await;
    let times = JwksTimes { fresh: Duration::ZERO, cool_down: LATER, ..JwksTimes::default() };
    let verifier = verifier_with(&endpoint, times);
    for _ in 0..3 {
        assert!(verify(&verifier, &key.token(&claims("demo"))).await.is_ok());
    }
    assert_eq!(endpoint.asked().len(), 1, "no client waits during the cool-down");
}

#[tokio::test]
async fn without_any_keys_the_cool_down_is_shorter() {
    let key = ProviderKey::ec("one");
    let endpoint = Endpoint::script([Reply::status(503), Reply::json(key_set([&key]))]).await;
    let times = JwksTimes { cool_down: LATER, first_cool_down: AT_ONCE, ..JwksTimes::default() };
    let verifier = verifier_with(&endpoint, times);
    let token = key.token(&claims("demo"));
    assert_eq!(verify(&verifier, &token).await, Err(Refusal::KeysUnavailable));
    assert!(verify(&verifier, &token).await.is_ok());
    assert!(JwksTimes::default().first_cool_down < JwksTimes::default().cool_down);
}

#[tokio::test]
async fn clients_are_told_to_try_again_while_the_keys_are_unavailable() {
    let endpoint = Endpoint::script([Reply::status(503)]).await;
    let token = ProviderKey::ec("one").token(&claims("demo"));
    for refuse_with in [RefuseWith::Status, RefuseWith::Close] {
        let url = format!("{}/keys", endpoint.url);
        let environment = Environment::new(move |name| match name {
            "JWT_JWKS_URL" => Some(url.clone()),
            "AUTH_IN_BAND" => Some("true".to_owned()),
            _ => None,
        });
        let system = System::start_with(Config { environment, refuse_with, ..guarded_config(&[]) }).await;
        match open(&system, "demo", &token).await {
            Ok(mut client) => assert_eq!(client.closed_at_once().await.0, 1013, "and not 1008, which is final"),
            Err(status) => assert_eq!((status, refuse_with), (503, RefuseWith::Status)),
        }
        let mut pending = system.connect("tenant=demo").await;
        let answer = pending.ask(&json!({ "action": "authenticate", "token": token, "requestId": "a" })).await;
        assert_eq!((&answer["code"], &answer["requestId"]), (&json!(ErrorCode::Internal), &json!("a")), "{answer}");
    }
}

/// The issuer begins to use a new key just after the functions have fetched its keys.
#[tokio::test]
async fn a_new_key_is_to_be_tried_again_until_the_next_look_is_allowed() {
    let (old, new) = (ProviderKey::ec("old"), ProviderKey::ec("new"));
    let keys = [Reply::json(key_set([&old])), Reply::json(key_set([&old, &new]))];
    let endpoint = Endpoint::script(keys.clone()).await;
    let url = format!("{}/keys", endpoint.url);
    let environment = Environment::new(move |name| match name {
        "JWT_JWKS_URL" => Some(url.clone()),
        "AUTH_IN_BAND" => Some("true".to_owned()),
        _ => None,
    });
    let system = System::start_with(Config { environment, ..guarded_config(&[]) }).await;
    assert_eq!(refused(&system, "demo", &old.token(&claims("demo"))).await, 0);
    let token = new.token(&claims("demo"));
    assert_eq!(refused(&system, "demo", &token).await, 503, "401 would be final");
    let mut pending = system.connect("tenant=demo").await;
    // The other function has fetched no keys yet.
    let first = pending.ask(&json!({ "action": "authenticate", "token": old.token(&claims("demo")) })).await;
    assert_eq!(first["type"], "authenticated", "{first}");
    let stranger = ProviderKey::ec("stranger").token(&claims("demo"));
    let answer = pending.ask(&json!({ "action": "authenticate", "token": stranger })).await;
    assert_eq!(answer["code"], json!(ErrorCode::Internal), "{answer}");

    let endpoint = Endpoint::script(keys).await;
    let verifier = verifier(&endpoint, Duration::from_secs(3), Duration::from_secs(2));
    assert!(verify(&verifier, &old.token(&claims("demo"))).await.is_ok());
    assert_eq!(verify(&verifier, &token).await, Err(Refusal::UnknownKeyForNow));
    until("the next look is allowed", async || verify(&verifier, &token).await.is_ok()).await;
}

#[tokio::test]
async fn known_keys_survive_an_outage() {
    let key = ProviderKey::ec("one");
    let up = Arc::new(AtomicBool::new(true));
    let (state, set) = (Arc::clone(&up), key_set([&key]));
    let endpoint =
        Endpoint::new(
            move |_| {
                if state.load(Ordering::SeqCst) { Reply::json(set.clone()) } else { Reply::status(503) }
            },
        )
        .await;
    let verifier = verifier(&endpoint, Duration::from_secs(3), AT_ONCE);
    assert!(verify(&verifier, &key.token(&claims("demo"))).await.is_ok());
    up.store(false, Ordering::SeqCst);
    let stranger = ProviderKey::ec("stranger").token(&claims("demo"));
    assert_eq!(verify(&verifier, &stranger).await, Err(Refusal::UnknownKeyForNow), "the issuer may have a new key");
    assert!(verify(&verifier, &key.token(&claims("demo"))).await.is_ok(), "known keys stay in use");
}

#[tokio::test]
async fn while_the_endpoint_fails_every_token_is_refused_and_then_it_recovers() {
    let key = ProviderKey::ec("one");
    let nonsense = [
        Reply::status(500),
        Reply::json("not json"),
        Reply::json(r#"{"keys":7}"#),
        Reply::json(format!(r#"{{"keys":[],"padding":"{}"}}"#, "x".repeat(600_000))),
        Reply::Status(302, &[("location", "http://127.0.0.1:1/")], String::new()),
    ];
    let replies = nonsense.into_iter().chain([Reply::json(key_set([&key]))]);
    let endpoint = Endpoint::script(replies).await;
    let verifier = verifier(&endpoint, Duration::from_secs(3), AT_ONCE);
    let token = key.token(&claims("demo"));
    for _ in 0..5 {
        assert_eq!(verify(&verifier, &token).await, Err(Refusal::KeysUnavailable));
    }
    assert!(verify(&verifier, &token).await.is_ok());
}

#[tokio::test]
async fn a_slow_endpoint_delays_clients_by_the_time_out_at_most() {
    let endpoint = Endpoint::script([Reply::Never]).await;
    let verifier = verifier(&endpoint, Duration::from_secs(2), LATER);
    let token = ProviderKey::ec("one").token(&claims("demo"));
    let started = Instant::now();
    let results = join_all((0..50).map(|_| verify(&verifier, &token))).await;
    assert!(results.iter().all(|result| *result == Err(Refusal::KeysUnavailable)));
    assert_eq!(endpoint.asked().len(), 1, "all of them waited for the same fetch");
    assert!(
        started.elapsed() < Duration::from_secs(10),
        "the clients did not wait one after the other: {:?}",
        started.elapsed()
    );
}

#[tokio::test]
async fn a_flood_of_unknown_key_ids_costs_one_fetch() {
    let key = ProviderKey::ec("one");
    let set = Arc::new(Mutex::new(key_set([&key])));
    let fetches = Arc::new(AtomicUsize::new(0));
    let (reply, count) = (Arc::clone(&set), Arc::clone(&fetches));
    let endpoint = Endpoint::new(move |_| {
        count.fetch_add(1, Ordering::SeqCst);
        Reply::json(reply.lock().unwrap().clone())
    })
    .await;
    let verifier = verifier(&endpoint, Duration::from_secs(3), LATER);
    let forged: Vec<String> = (0..200)
        .map(|n| assemble(&json!({ "alg": "ES256", "kid": format!("made-up-{n}") }), &claims("demo"), "AAAA"))
        .collect();
    let results = join_all(forged.iter().map(|token| verify(&verifier, token))).await;
    let refusals = [Err(Refusal::UnknownKey), Err(Refusal::UnknownKeyForNow)];
    assert!(results.iter().all(|result| refusals.contains(result)), "{results:?}");
    assert!(results.contains(&refusals[0]), "the look was for the first of them");
    assert_eq!(fetches.load(Ordering::SeqCst), 1);
    assert!(verify(&verifier, &key.token(&claims("demo"))).await.is_ok(), "other clients are not delayed");
}

#[test]
fn keys_are_fetched_over_https_only() {
    for url in [
        "http://issuer.example.com/keys",
        "ftp://localhost/keys",
        "issuer.example.com",
        "",
        "https://",
        "file:///etc/passwd",
    ] {
        assert!(JwksCache::new(url).is_err(), "{url:?}");
    }
    assert!(JwksCache::new("https://issuer.example.com/.well-known/jwks.json").is_ok());
}
