//! The number of connections of one subject.

use entity_stream_local::{Config, RefuseWith};
use entity_stream_protocol::ErrorCode;
use serde_json::json;

use super::{guarded, guarded_config, open, refused};
use crate::harness::tokens::{claims, token, user};
use crate::harness::{Client, System, until};

const TWO: &[(&str, &str)] = &[("MAX_CONNECTIONS_PER_SUBJECT", "2")];

fn of(subject: &str) -> String {
    let mut claims = claims("demo");
    claims["sub"] = json!(subject);
    token(&claims)
}

#[tokio::test]
async fn one_connection_too_many_is_refused_until_another_one_ends() {
    let system = guarded(TWO).await;
    let first = open(&system, "demo", &of("alice")).await.unwrap();
    let _second = open(&system, "demo", &of("alice")).await.unwrap();
    assert_eq!(refused(&system, "demo", &of("alice")).await, 429);
    assert_eq!(refused(&system, "demo", &of("bob")).await, 0, "another subject");
    first.close().await;
    until("the slot is free", async || refused(&system, "demo", &of("alice")).await == 0).await;
}

#[tokio::test]
async fn the_local_system_closes_with_try_again_later() {
    let system = System::start_with(Config { refuse_with: RefuseWith::Close, ..guarded_config(TWO) }).await;
    let mut clients = Vec::new();
    for _ in 0..3 {
        clients.push(open(&system, "demo", &user("demo")).await.unwrap());
    }
    let (code, reason) = clients[2].closed_at_once().await;
    assert_eq!(code, 1013);
    assert!(reason.contains("too many connections"), "{reason}");
}

/// The quota is checked before the rest of the query, and a handshake that fails later gives its slot back.
#[tokio::test]
async fn a_malformed_handshake_holds_no_slot() {
    let system = guarded(&[("MAX_CONNECTIONS_PER_SUBJECT", "1")]).await;
    let bearer = format!("Bearer {}", user("demo"));
    let malformed = async || {
        let url = system.url("tenant=demo&idPattern=(");
        Client::connect(&url, &[("authorization", &bearer)]).await.err().unwrap().status
    };
    for _ in 0..3 {
        assert_eq!(malformed().await, 400);
    }
    let _open = open(&system, "demo", &user("demo")).await.unwrap();
    assert_eq!(malformed().await, 429);
}

#[tokio::test]
async fn a_client_that_authenticates_in_band_is_counted_then() {
    let system = guarded(&[("MAX_CONNECTIONS_PER_SUBJECT", "2"), ("AUTH_IN_BAND", "true")]).await;
    let authenticate = json!({ "action": "authenticate", "token": user("demo"), "requestId": "a" });
    let mut clients = Vec::new();
    for _ in 0..3 {
        clients.push(system.connect("tenant=demo").await);
    }
    for client in &mut clients[..2] {
        assert_eq!(client.ask(&authenticate).await["type"], "authenticated");
        assert_eq!(client.ask(&authenticate).await["type"], "authenticated", "a renewal needs no further slot");
    }
    let answer = clients[2].ask(&authenticate).await;
    assert_eq!((&answer["code"], &answer["requestId"]), (&json!(ErrorCode::LimitExceeded), &json!("a")), "{answer}");
    assert_eq!(refused(&system, "demo", &user("demo")).await, 429);
    clients.remove(0).close().await;
    until("the slot is free", async || {
        let mut client = system.connect("tenant=demo").await;
        client.ask(&authenticate).await["type"] == "authenticated"
    })
    .await;
}

#[tokio::test]
async fn without_authentication_no_client_is_counted() {
    let environment =
        entity_stream_runtime::Environment::new(|name| (name == "MAX_CONNECTIONS_PER_SUBJECT").then(|| "1".to_owned()));
    let system = System::start_with(Config { environment, ..crate::harness::config() }).await;
    let mut clients = Vec::new();
    for _ in 0..3 {
        clients.push(system.connect("tenant=demo").await);
    }
    for client in &mut clients {
        client.nothing_more(&system).await;
    }
}
