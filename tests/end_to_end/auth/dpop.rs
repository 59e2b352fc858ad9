//! Proof of possession: tokens that are bound to a key.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use entity_stream_local::Config;
use entity_stream_protocol::ErrorCode;
use jsonwebtoken::Algorithm;
use serde_json::{Value, json};

use super::{guarded, guarded_config, open};
use crate::harness::tokens::{ProviderKey, assemble, claims, in_seconds, sign, token, user};
use crate::harness::{Client, Hands, System, room};

const REQUIRED: &str = "DPoP proof required";

/// A token of `demo` that is bound to this key.
fn bound_to(key: &ProviderKey) -> String {
    let mut claims = claims("demo");
    claims["cnf"] = json!({ "jkt": key.thumbprint() });
    token(&claims)
}

fn hash(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, text.as_bytes()))
}

/// A good proof for this system.
fn proof(system: &System, key: &ProviderKey) -> String {
    key.proof(&json!({}), &json!({ "htu": system.url("tenant=demo") }))
}

fn bind(proof: &str) -> Value {
    json!({ "action": "dpop_bind", "proof": proof, "requestId": "b" })
}

async fn refused_with(client: &mut Client, message: &Value, reason: &str) {
    let answer = client.ask(message).await;
    assert_eq!((&answer["code"], &answer["message"]), (&json!(ErrorCode::Unauthorized), &json!(reason)), "{answer}");
}

#[tokio::test]
async fn a_client_with_the_key_binds_and_then_listens() {
    let system = guarded(&[]).await;
    for key in ProviderKey::of_each_kind(["a", "b", "c", "d"]) {
        let mut client = open(&system, "demo", &bound_to(&key)).await.unwrap();
        let answer = client.ask(&json!({ "action": "dpop_bind", "proof": proof(&system, &key) })).await;
        assert_eq!(answer, json!({ "type": "dpop_verified" }));
        system.publish(&room("demo", "r")).await;
        assert_eq!(client.event_id().await, "r");
        client.subscribe(&json!({ "entityTypes": ["Room"] })).await;
        let again = client.ask(&bind(&proof(&system, &key))).await;
        assert_eq!((&again["code"], &again["requestId"]), (&json!("invalid_message"), &json!("b")), "{again}");
        client.close().await;
    }
}

/// With all that a service offers, and with as little as possible; alone, and as a member of a group.
#[tokio::test]
async fn a_pending_connection_receives_nothing_and_may_request_nothing() {
    const POOR: &[(&str, &str)] = &[("AUTH_IN_BAND", "true"), ("HISTORY_MINUTES", "0"), ("ENTITY_STATE", "false")];
    for settings in [&POOR[..1], POOR] {
        // The connections stay as young as they are, however slow the machine is.
        let hands = Hands::default();
        let system = System::start_with(Config { clock: hands.clock(), ..guarded_config(settings) }).await;
        for query in ["tenant=demo", "tenant=demo&group_id=g"] {
            receives_nothing_and_may_request_nothing(&system, query).await;
        }
    }
}

async fn receives_nothing_and_may_request_nothing(system: &System, query: &str) {
    let key = ProviderKey::ec("a");
    let bearer = format!("Bearer {}", bound_to(&key));
    let mut pending = Client::connect(&system.url(query), &[("authorization", &bearer)]).await.unwrap();
    let mut witness = open(system, "demo", &user("demo")).await.unwrap();
    for message in [
        json!({ "action": "subscribe", "requestId": "1" }),
        json!({ "action": "subscribe", "snapshot": true, "requestId": "1" }),
        json!({ "action": "subscribe", "wholeEntity": true, "showChanges": true, "requestId": "1" }),
        json!({ "action": "subscribe", "since": { "seconds": 30 }, "requestId": "1" }),
        json!({ "action": "subscribe", "snapshot": true, "since": { "seconds": 30 }, "requestId": "1" }),
        json!({ "action": "unsubscribe", "requestId": "1" }),
        json!({ "action": "sync", "requestId": "1" }),
        json!({ "action": "snapshot", "next": "e30", "requestId": "1" }),
        json!({ "action": "authenticate", "token": user("demo"), "requestId": "1" }),
        json!({ "action": "authenticate", "token": bound_to(&key), "proof": proof(system, &key), "requestId": "1" }),
        json!({ "action": "fly", "requestId": "1" }),
        json!([]),
    ] {
        refused_with(&mut pending, &message, REQUIRED).await;
    }
    assert_eq!(pending.ask(&json!({ "action": "ping", "requestId": "p" })).await["type"], "pong");
    let missing = pending.ask(&json!({ "action": "dpop_bind", "requestId": "b" })).await;
    assert_eq!(missing["code"], json!(ErrorCode::InvalidMessage), "{missing}");
    system.publish(&room("demo", "secret")).await;
    assert_eq!(witness.event_id().await, "secret");
    system.local.settled().await;
    let answer = pending.ask(&bind(&proof(system, &key))).await;
    assert_eq!(answer, json!({ "type": "dpop_verified", "requestId": "b" }), "no event came before the answer");
    system.publish(&room("demo", "r")).await;
    assert_eq!(pending.event_id().await, "r");
    pending.close().await;
    witness.close().await;
}

/// Each change of a good proof, and the beginning of the reason for which it is refused.
#[tokio::test]
async fn every_fault_of_a_proof_is_named() {
    // The connection stays as young as it is, however slow the machine is.
    let hands = Hands::default();
    let system = System::start_with(Config { clock: hands.clock(), ..guarded_config(&[]) }).await;
    let (key, other) = (ProviderKey::ec("a"), ProviderKey::ec("b"));
    let bound = bound_to(&key);
    let mut client = open(&system, "demo", &bound).await.unwrap();
    let htu = system.url("tenant=demo");
    let host = htu.trim_start_matches("ws://").split('/').next().unwrap().to_owned();
    let with = |header: Value, claims: Value| {
        let mut all = json!({ "htu": htu });
        all.as_object_mut().unwrap().extend(claims.as_object().unwrap().clone());
        key.proof(&header, &all)
    };
    let header = |header: Value| with(header, json!({}));
    let claim = |claims: Value| with(json!({}), claims);
    let private = {
        let mut jwk = key.jwk();
        jwk["d"] = json!("AAAA");
        jwk
    };
    let good_jwk = key.jwk();
    let hmac = {
        let mut hmac = jsonwebtoken::Header::new(Algorithm::HS256);
        hmac.typ = Some("dpop+jwt".to_owned());
        hmac.jwk = serde_json::from_value(good_jwk.clone()).unwrap();
        let claims = json!({ "htm": "GET", "htu": htu, "iat": in_seconds(0), "jti": "h" });
        sign(&hmac, &claims, good_jwk["x"].as_str().unwrap().as_bytes())
    };
    let good = claim(json!({}));
    let tampered = {
        let parts: Vec<&str> = good.split('.').collect();
        let others = claim(json!({}));
        format!("{}.{}.{}", parts[0], others.split('.').nth(1).unwrap(), parts[2])
    };
    let unsigned = {
        let header = json!({ "typ": "dpop+jwt", "alg": "none", "jwk": good_jwk });
        assemble(&header, &json!({ "htm": "GET", "htu": htu, "iat": in_seconds(0), "jti": "n" }), "")
    };
    let oct = json!({ "kty": "oct", "k": "c2VjcmV0" });
    for (proof, reason) in [
        ("x".to_owned(), "the DPoP proof is not a JSON Web Token"),
        ("a.b.c".to_owned(), "the DPoP proof is not a JSON Web Token"),
        (claim(json!({ "padding": "x".repeat(9000) })), "the DPoP proof is not a JSON Web Token"),
        (header(json!({ "crit": ["b64"] })), "the DPoP proof is not a JSON Web Token"),
        (header(json!({ "typ": "JWT" })), "the DPoP proof has another typ"),
        (header(json!({ "typ": null })), "the DPoP proof has another typ"),
        (bound.clone(), "the DPoP proof has another typ"),
        (unsigned, "the DPoP proof is not signed with"),
        (hmac, "the DPoP proof is not signed with"),
        (header(json!({ "alg": "RS256" })), "the DPoP proof is not signed with"),
        (header(json!({ "alg": "ES512" })), "the DPoP proof is not signed with"),
        (header(json!({ "jwk": null })), "the DPoP proof has no jwk"),
        (header(json!({ "jwk": private })), "the DPoP proof has no jwk"),
        (header(json!({ "jwk": oct })), "the DPoP proof has no jwk"),
        (header(json!({ "jwk": { "kty": "EC", "crv": "P-256", "x": "!", "y": "\"" } })), "the DPoP proof has no jwk"),
        (header(json!({ "jwk": other.jwk() })), "the DPoP proof is signed with another key"),
        (other.proof(&json!({}), &json!({ "htu": htu })), "the DPoP proof is signed with another key"),
        (other.proof(&json!({ "jwk": good_jwk }), &json!({ "htu": htu })), "the signature of the DPoP proof"),
        (tampered, "the signature of the DPoP proof"),
        (claim(json!({ "htm": "POST" })), "the htm of the DPoP proof"),
        (claim(json!({ "htm": "get" })), "the htm of the DPoP proof"),
        (claim(json!({ "htm": null })), "the htm of the DPoP proof"),
        (claim(json!({ "htu": null })), "the htu of the DPoP proof"),
        (claim(json!({ "htu": "wss://other.example.com/" })), "the htu of the DPoP proof"),
        (claim(json!({ "htu": format!("ws://{host}/other") })), "the htu of the DPoP proof"),
        (claim(json!({ "htu": format!("ftp://{host}/") })), "the htu of the DPoP proof"),
        (claim(json!({ "iat": in_seconds(-120) })), "the iat of the DPoP proof"),
        (claim(json!({ "iat": in_seconds(120) })), "the iat of the DPoP proof"),
        (claim(json!({ "iat": null })), "the iat of the DPoP proof"),
        (claim(json!({ "iat": in_seconds(0).to_string() })), "the iat of the DPoP proof"),
        (claim(json!({ "iat": 1e300 })), "the iat of the DPoP proof"),
        (claim(json!({ "ath": hash(&user("demo")) })), "the ath of the DPoP proof"),
        (claim(json!({ "ath": 7 })), "the ath of the DPoP proof"),
        (claim(json!({ "jti": null })), "the DPoP proof has no jti"),
        (claim(json!({ "jti": "" })), "the DPoP proof has no jti"),
        (claim(json!({ "jti": "x".repeat(257) })), "the DPoP proof has no jti"),
    ] {
        let answer = client.ask(&bind(&proof)).await;
        let message = answer["message"].as_str().unwrap_or_default();
        assert_eq!(answer["code"], json!(ErrorCode::Unauthorized), "{proof}: {answer}");
        assert!(message.starts_with(reason), "{reason}: {message}");
    }
    // None of them has used up anything: the same client binds with a proof that names the token and the stage.
    let last = claim(
        json!({ "ath": hash(&bound), "htu": format!("http://{host}/local/?x#y"), "iat": in_seconds(0) as f64 + 0.5 }),
    );
    assert_eq!(client.ask(&bind(&last)).await["type"], "dpop_verified");
}

#[tokio::test]
async fn a_proof_is_used_once_on_any_connection() {
    let system = guarded(&[]).await;
    let (key, other) = (ProviderKey::ec("a"), ProviderKey::ec("b"));
    let mut first = open(&system, "demo", &bound_to(&key)).await.unwrap();
    let mut second = open(&system, "demo", &bound_to(&key)).await.unwrap();
    let proof = key.proof(&json!({}), &json!({ "htu": system.url(""), "jti": "the same" }));
    assert_eq!(first.ask(&bind(&proof)).await["type"], "dpop_verified");
    for _ in 0..2 {
        refused_with(&mut second, &bind(&proof), "the DPoP proof was used before: create a new one with another jti")
            .await;
    }
    // The proof of another key may have the same id.
    let mut third = open(&system, "demo", &bound_to(&other)).await.unwrap();
    let same = other.proof(&json!({}), &json!({ "htu": system.url(""), "jti": "the same" }));
    assert_eq!(third.ask(&bind(&same)).await["type"], "dpop_verified");
}

#[tokio::test]
async fn a_connection_that_does_not_bind_in_time_is_closed_by_the_next_message() {
    let hands = Hands::default();
    // With this setting the function answers pings, and not a mock.
    let settings = &[("AUTH_IN_BAND", "true")];
    let system = System::start_with(Config { clock: hands.clock(), ..guarded_config(settings) }).await;
    let key = ProviderKey::ec("a");
    for late in [json!({ "action": "ping" }), json!({ "action": "subscribe" }), bind("x"), bind(&proof(&system, &key))]
    {
        let mut pending = open(&system, "demo", &bound_to(&key)).await.unwrap();
        hands.forward(4);
        assert_eq!(pending.ask(&json!({ "action": "ping" })).await["type"], "pong", "still in time");
        hands.forward(1);
        let answer = pending.ask(&late).await;
        assert_ne!(answer["type"], "dpop_verified", "{answer}");
        assert_eq!(pending.closed_at_once().await.0, 1000, "{late}");
    }
}

#[tokio::test]
async fn a_connection_that_does_not_bind_in_time_is_closed_by_the_next_event() {
    let hands = Hands::default();
    let system = System::start_with(Config { clock: hands.clock(), ..guarded_config(&[]) }).await;
    let key = ProviderKey::ec("a");
    let connect = async |query: &str| {
        let bearer = format!("Bearer {}", bound_to(&key));
        Client::connect(&system.url(query), &[("authorization", &bearer)]).await.unwrap()
    };
    let mut pending = connect("tenant=demo&entityTypes=Room").await;
    let mut member = connect("tenant=demo&group_id=g").await;
    let mut bound = connect("tenant=demo").await;
    assert_eq!(bound.ask(&bind(&proof(&system, &key))).await["type"], "dpop_verified");
    system.publish(&room("demo", "early")).await;
    assert_eq!(bound.event_id().await, "early");
    system.local.settled().await;
    assert_eq!(pending.ask(&json!({ "action": "ping" })).await["type"], "pong", "the event did not close it");
    hands.forward(5);
    system.publish(&crate::harness::change("demo", "Sensor", "s")).await;
    assert_eq!(bound.event_id().await, "s");
    assert_eq!(member.closed_at_once().await.0, 1000);
    system.local.settled().await;
    system.publish(&room("demo", "late")).await;
    assert_eq!(pending.closed_at_once().await.0, 1000, "its first matching event closes it");
    assert_eq!(bound.event_id().await, "late");
}

#[tokio::test]
async fn an_unproved_token_takes_no_slot_of_its_subject() {
    let system = guarded(&[("MAX_CONNECTIONS_PER_SUBJECT", "1")]).await;
    let key = ProviderKey::ec("a");
    let mut first = open(&system, "demo", &bound_to(&key)).await.unwrap();
    let mut second = open(&system, "demo", &bound_to(&key)).await.unwrap();
    assert_eq!(first.ask(&bind(&proof(&system, &key))).await["type"], "dpop_verified");
    let answer = second.ask(&bind(&proof(&system, &key))).await;
    assert_eq!(answer["code"], json!(ErrorCode::LimitExceeded), "{answer}");
}

#[tokio::test]
async fn authenticate_needs_a_proof_beside_a_bound_token() {
    let system = guarded(&[("AUTH_IN_BAND", "true")]).await;
    let (key, other) = (ProviderKey::ec("a"), ProviderKey::ec("b"));
    let mut client = system.connect("tenant=demo").await;
    let mut message = json!({ "action": "authenticate", "token": bound_to(&key), "requestId": "1" });
    refused_with(&mut client, &message, REQUIRED).await;
    message["proof"] = json!(proof(&system, &other));
    refused_with(&mut client, &message, "the DPoP proof is signed with another key than that of the token").await;
    message["proof"] = json!(7);
    assert_eq!(client.ask(&message).await["code"], json!(ErrorCode::InvalidMessage));
    message["proof"] = json!(proof(&system, &key));
    let answer = client.ask(&message).await;
    assert_eq!(answer["type"], "authenticated", "{answer}");
    // The renewal needs another proof.
    refused_with(&mut client, &message, "the DPoP proof was used before: create a new one with another jti").await;
    message["proof"] = json!(proof(&system, &key));
    assert_eq!(client.ask(&message).await["type"], "authenticated");
    let renewal = json!({ "action": "authenticate", "token": user("demo"), "proof": "ignored" });
    assert_eq!(client.ask(&renewal).await["type"], "authenticated", "a bearer token needs none");
    system.publish(&room("demo", "r")).await;
    assert_eq!(client.event_id().await, "r");
}

#[tokio::test]
async fn other_confirmations_are_refused_in_the_handshake() {
    let system = guarded(&[]).await;
    let key = ProviderKey::ec("a");
    for confirmation in [
        json!({}),
        json!("jkt"),
        json!({ "x5t#S256": "AAAA" }),
        json!({ "jkt": "short" }),
        json!({ "jkt": 7 }),
        json!({ "jkt": key.thumbprint(), "x5t#S256": "AAAA" }),
    ] {
        let mut claims = claims("demo");
        claims["cnf"] = confirmation.clone();
        let bearer = format!("Bearer {}", token(&claims));
        let url = system.url("tenant=demo");
        let refusal = Client::connect(&url, &[("authorization", &bearer)]).await.err().unwrap();
        assert_eq!(refusal.status, 401, "{confirmation}");
        assert!(refusal.body.contains("in another way than DPoP"), "{}", refusal.body);
    }
    let mut claims = claims("demo");
    claims["cnf"] = json!(null);
    assert!(open(&system, "demo", &token(&claims)).await.is_ok(), "null is no confirmation");
    claims["cnf"] = json!({ "jkt": key.thumbprint() });
    claims["tenant"] = json!("other");
    assert_eq!(open(&system, "demo", &token(&claims)).await.err(), Some(403), "access is decided in the handshake");
}

#[tokio::test]
async fn without_authentication_there_is_nothing_to_bind() {
    let system = System::start().await;
    let mut client = system.connect("tenant=demo").await;
    refused_with(&mut client, &bind("x"), "this connection takes no tokens: authentication is switched off").await;
}
