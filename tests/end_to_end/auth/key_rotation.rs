//! Which keys of a set are tried, and that no rotation gives a valid token a final refusal.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use entity_stream_auth::{ClaimPaths, JwksCache, JwksTimes, Refusal, TokenKeys, Verifier};
use entity_stream_clock::Clock;
use entity_stream_protocol::AccessToken;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::harness::tokens::{ProviderKey, assemble, claims};
use crate::harness::{Endpoint, Reply, until};

/// The ids of the keys in a set, and of the key in a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Naming {
    /// Keys have ids of their own, and tokens name them.
    Own,
    /// All keys share an id, and tokens name it.
    Shared,
    /// Keys have ids, and tokens name none.
    OnlyKeys,
    /// Tokens have ids, and keys have none.
    OnlyTokens,
    /// There are no ids.
    None,
}

const NAMINGS: [Naming; 5] = [Naming::Own, Naming::Shared, Naming::OnlyKeys, Naming::OnlyTokens, Naming::None];

fn set(keys: &[&ProviderKey], naming: Naming) -> String {
    let keys: Vec<Value> = keys
        .iter()
        .map(|key| {
            let mut jwk = key.jwk();
            if matches!(naming, Naming::OnlyTokens | Naming::None) {
                jwk.as_object_mut().unwrap().remove("kid");
            }
            jwk
        })
        .collect();
    json!({ "keys": keys }).to_string()
}

fn token(key: &ProviderKey, naming: Naming) -> String {
    match naming {
        Naming::Own | Naming::Shared | Naming::OnlyTokens => key.token(&claims("demo")),
        Naming::OnlyKeys | Naming::None => key.nameless_token(&claims("demo")),
    }
}

/// Two keys of each kind, the old ones and the new ones.
fn generations(naming: Naming) -> [[ProviderKey; 4]; 2] {
    match naming {
        Naming::Shared => [ProviderKey::of_each_kind(["k"; 4]), ProviderKey::of_each_kind(["k2"; 4])],
        _ => [ProviderKey::of_each_kind(["r1", "e1", "f1", "d1"]), ProviderKey::of_each_kind(["r2", "e2", "f2", "d2"])],
    }
}

fn verifier(endpoint: &Endpoint, cool_down: Duration) -> Verifier {
    let times = JwksTimes { cool_down, first_cool_down: Duration::ZERO, ..JwksTimes::default() };
    let cache = JwksCache::new(&format!("{}/keys", endpoint.url)).unwrap().with_times(times);
    Verifier::new(TokenKeys::Jwks(cache), ClaimPaths::default())
}

async fn verify(verifier: &Verifier, token: &str) -> Result<(), Refusal> {
    let token = AccessToken::new(token).unwrap();
    verifier.verify(&token, Clock::system().now()).await.map(drop).map_err(|refused| refused.reason)
}

#[tokio::test]
async fn every_key_that_fits_is_tried() {
    for naming in NAMINGS {
        let [old, new] = generations(naming);
        let keys: Vec<_> = old.iter().chain(&new).collect();
        let endpoint = Endpoint::script([Reply::json(set(&keys, naming))]).await;
        let verifier = verifier(&endpoint, Duration::from_secs(3600));
        for (index, key) in keys.iter().enumerate() {
            assert_eq!(verify(&verifier, &token(key, naming)).await, Ok(()), "{naming:?}, key {index}");
        }
        assert_eq!(endpoint.asked().len(), 1, "{naming:?}");
    }
}

/// The issuer publishes the new keys beside the old ones, signs with the new ones at once, and then withdraws the old ones.
#[tokio::test]
async fn a_rotation_gives_no_valid_token_a_final_refusal() {
    for naming in NAMINGS {
        let [old, new] = generations(naming);
        let both: Vec<_> = old.iter().chain(&new).collect();
        let published = Arc::new(Mutex::new(Reply::json(set(&old.iter().collect::<Vec<_>>(), naming))));
        let reply = Arc::clone(&published);
        let endpoint = Endpoint::new(move |_| reply.lock().unwrap().clone()).await;
        let verifier = verifier(&endpoint, Duration::from_millis(300));
        for key in &old {
            assert_eq!(verify(&verifier, &token(key, naming)).await, Ok(()), "{naming:?}: before");
        }
        for outage in [Some(Reply::status(503)), Some(Reply::json(r#"{"keys":[]}"#)), Some(Reply::Reset), None] {
            *published.lock().unwrap() = outage.clone().unwrap_or_else(|| Reply::json(set(&both, naming)));
            for key in &new {
                // Forged tokens use up the looks at the same time.
                let stranger = token(&ProviderKey::ec("stranger"), naming);
                let valid = token(key, naming);
                let (verdict, _) =
                    tokio::join!(verify(&verifier, &valid), join_all((0..20).map(|_| verify(&verifier, &stranger))));
                assert!(
                    matches!(verdict, Ok(()) | Err(Refusal::UnknownKeyForNow)),
                    "{naming:?}: {outage:?} {verdict:?}"
                );
                let verdict = verify(&verifier, &token(&old[0], naming)).await;
                assert_eq!(verdict, Ok(()), "{naming:?}: known keys stay in use");
            }
        }
        for key in &both {
            let token = token(key, naming);
            until("the new keys are known", async || verify(&verifier, &token).await.is_ok()).await;
        }
    }
}

/// A provider replaces a key and keeps its id, as one does that calls its only key `default`.
#[tokio::test]
async fn a_new_key_under_a_known_id_gives_no_valid_token_a_final_refusal() {
    let generation = || ProviderKey::of_each_kind(["k", "k", "k", "k"]);
    let (old, new) = (generation(), generation());
    let set = |keys: &[ProviderKey; 4]| Reply::json(set(&keys.iter().collect::<Vec<_>>(), Naming::Shared));
    let published = Arc::new(Mutex::new(set(&old)));
    let reply = Arc::clone(&published);
    let endpoint = Endpoint::new(move |_| reply.lock().unwrap().clone()).await;
    let verifier = verifier(&endpoint, Duration::from_millis(300));
    for key in &old {
        assert_eq!(verify(&verifier, &token(key, Naming::Shared)).await, Ok(()));
    }
    for reply in [Reply::status(503), set(&new)] {
        *published.lock().unwrap() = reply;
        for key in &new {
            let stranger = token(&ProviderKey::ec("k"), Naming::Shared);
            let valid = token(key, Naming::Shared);
            let (verdict, _) =
                tokio::join!(verify(&verifier, &valid), join_all((0..20).map(|_| verify(&verifier, &stranger))));
            assert!(matches!(verdict, Ok(()) | Err(Refusal::UnknownKeyForNow)), "{verdict:?}");
        }
    }
    for key in &new {
        let token = token(key, Naming::Shared);
        until("the new key is known", async || verify(&verifier, &token).await.is_ok()).await;
    }
    let withdrawn = token(&old[0], Naming::Shared);
    until("a look has found the old key withdrawn", async || {
        verify(&verifier, &withdrawn).await == Err(Refusal::Signature)
    })
    .await;
}

/// A key that is neither named by the token nor of its algorithm is not tried.
#[tokio::test]
async fn tokens_of_other_keys_are_refused_for_good_after_a_look() {
    let (one, two) = (ProviderKey::ec("one"), ProviderKey::ec("two"));
    let nameless = |key: &ProviderKey| {
        let mut jwk = key.jwk();
        jwk.as_object_mut().unwrap().remove("kid");
        json!({ "keys": [jwk] }).to_string()
    };
    for (keys, token, reason) in [
        (set(&[&one], Naming::Own), two.token(&claims("demo")), Refusal::UnknownKey),
        (set(&[&one], Naming::Own), two.nameless_token(&claims("demo")), Refusal::Signature),
        (nameless(&one), two.token(&claims("demo")), Refusal::Signature),
        (set(&[&one], Naming::Own), ProviderKey::ec("one").token(&claims("demo")), Refusal::Signature),
        (set(&[&one], Naming::Own), ProviderKey::rsa("one").token(&claims("demo")), Refusal::Algorithm),
        (set(&[&one], Naming::Own), ProviderKey::rsa("x").nameless_token(&claims("demo")), Refusal::Algorithm),
    ] {
        let endpoint = Endpoint::script([Reply::json(keys.clone())]).await;
        let verifier = verifier(&endpoint, Duration::ZERO);
        assert_eq!(verify(&verifier, &token).await, Err(reason), "{keys}");
    }
}

/// Each client can send a token without an id, so the work for one is bounded.
#[tokio::test]
async fn a_set_of_very_many_keys_costs_a_token_eight_signatures() {
    let keys: Vec<_> = (0..9).map(|_| ProviderKey::ed("k")).collect();
    let keys: Vec<_> = keys.iter().collect();
    let endpoint = Endpoint::script([Reply::json(set(&keys, Naming::None))]).await;
    let verifier = verifier(&endpoint, Duration::ZERO);
    assert_eq!(verify(&verifier, &token(keys[7], Naming::None)).await, Ok(()));
    assert_eq!(verify(&verifier, &token(keys[8], Naming::None)).await, Err(Refusal::Signature));
}

/// A set may have keys of other kinds, of later standards, and values that are no keys.
#[tokio::test]
async fn entries_that_are_no_keys_do_not_hide_the_others() {
    let key = ProviderKey::ec("one");
    let keys = json!({ "keys": [
        7, {}, { "kty": "AKP", "alg": "ML-DSA-44", "pub": "AA" }, { "kty": "EC", "crv": "secp256k1", "x": "AA", "y": "AA" },
        { "kty": "RSA", "n": "AQAB" }, { "kty": "RSA", "e": 7, "n": [], "kid": "one" }, key.jwk(),
    ] });
    let endpoint = Endpoint::script([Reply::json(keys.to_string())]).await;
    let verifier = verifier(&endpoint, Duration::ZERO);
    assert_eq!(verify(&verifier, &key.token(&claims("demo"))).await, Ok(()));
    let forged = assemble(&json!({ "alg": "RS256", "kid": "one" }), &claims("demo"), "AAAA");
    assert_eq!(verify(&verifier, &forged).await, Err(Refusal::Algorithm));
}
