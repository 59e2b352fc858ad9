//! Authentication with the first message.

use serde_json::json;

use entity_stream_local::Config;
use entity_stream_protocol::ErrorCode;

use super::{guarded, guarded_config, open, refused};
use crate::harness::tokens::{claims, token, user};
use crate::harness::{Hands, System, room};

const IN_BAND: &[(&str, &str)] = &[("AUTH_IN_BAND", "true")];

#[tokio::test]
async fn without_the_setting_the_handshake_needs_a_token() {
    let system = guarded(&[("AUTH_IN_BAND", "false")]).await;
    let refusal = crate::harness::Client::connect(&system.url("tenant=demo"), &[]).await.err().unwrap();
    assert_eq!(refusal.status, 401);
}

#[tokio::test]
async fn an_unauthenticated_client_receives_nothing_and_may_request_nothing() {
    let system = guarded(IN_BAND).await;
    let mut pending = system.connect("tenant=demo&entityTypes=Room").await;
    let mut witness = open(&system, "demo", &user("demo")).await.unwrap();
    for message in [
        json!({ "action": "subscribe", "requestId": "1" }),
        json!({ "action": "subscribe" }),
        json!({ "action": "unsubscribe", "requestId": "1" }),
        json!({ "action": "ping", "requestId": "1" }),
        json!({ "action": "authenticate", "token": "nonsense", "requestId": "1" }),
        json!({ "action": "fly", "requestId": "1" }),
        json!({ "action": "subscribe", "idPattern": "(", "requestId": "1" }),
        json!({ "action": "subscribe", "entityTypes": 7, "requestId": "1" }),
        json!({ "requestId": "1" }),
        json!([]),
    ] {
        let answer = pending.ask(&message).await;
        assert_eq!(
            (&answer["type"], &answer["code"], &answer["requestId"]),
            (&json!("error"), &json!(ErrorCode::Unauthorized), &message["requestId"]),
            "{message}: {answer}"
        );
    }
    pending.send("{").await;
    assert_eq!(pending.json().await["code"], json!(ErrorCode::Unauthorized), "every message is refused");
    let answer = pending.ask(&json!({ "action": "authenticate", "requestId": "1" })).await;
    assert_eq!(answer["code"], json!(ErrorCode::InvalidMessage), "a malformed authenticate is reported: {answer}");
    let other = pending.ask(&json!({ "action": "authenticate", "token": user("other") })).await;
    assert_eq!(other["code"], json!(ErrorCode::Forbidden));
    system.publish(&room("demo", "secret")).await;
    assert_eq!(witness.event_id().await, "secret");
    system.local.settled().await;
    let answer = pending.ask(&json!({ "action": "authenticate", "token": user("demo") })).await;
    assert_eq!(answer["type"], json!("authenticated"), "no event came before the answer: {answer}");
    assert!(answer["expiresAt"].is_string());
    system.publish(&crate::harness::change("demo", "Sensor", "s")).await;
    system.publish(&room("demo", "r")).await;
    assert_eq!(pending.event_id().await, "r", "the filter in the URL is in force");
    assert_eq!(pending.ask(&json!({ "action": "ping" })).await, json!({ "type": "pong" }));
    pending.subscribe(&json!({ "entityTypes": ["Sensor"] })).await;
}

#[tokio::test]
async fn a_client_without_authentication_for_a_minute_is_closed_by_the_next_message() {
    let hands = Hands::default();
    let system = System::start_with(Config { clock: hands.clock(), ..guarded_config(IN_BAND) }).await;
    let mut authenticated = system.connect("tenant=demo").await;
    authenticated.ask(&json!({ "action": "authenticate", "token": user("demo") })).await;
    let mut pending = system.connect("tenant=demo").await;
    hands.forward(59);
    assert_eq!(pending.ask(&json!({ "action": "ping" })).await["code"], json!(ErrorCode::Unauthorized));
    hands.forward(1);
    // Every message closes the connection, also an `authenticate` with an invalid token.
    assert_eq!(
        pending.ask(&json!({ "action": "authenticate", "token": "x" })).await["code"],
        json!(ErrorCode::Unauthorized)
    );
    assert_eq!(pending.closed_at_once().await.0, 1000);
    // An authenticated client is not closed for a mistake, and a valid token is accepted after the minute.
    assert_eq!(authenticated.ask(&json!({ "action": "fly" })).await["code"], json!(ErrorCode::UnknownAction));
    let mut late = system.connect("tenant=demo").await;
    hands.forward(600);
    let answer = late.ask(&json!({ "action": "authenticate", "token": user("demo") })).await;
    assert_eq!(answer["type"], json!("authenticated"));
    assert_eq!(authenticated.ask(&json!({ "action": "ping" })).await, json!({ "type": "pong" }));
}

#[tokio::test]
async fn a_token_in_the_handshake_still_counts() {
    let system = guarded(IN_BAND).await;
    assert_eq!(refused(&system, "demo", "nonsense").await, 401, "a malformed credential is refused");
    assert_eq!(refused(&system, "demo", &user("other")).await, 403);
    let mut client = open(&system, "demo", &user("demo")).await.unwrap();
    system.publish(&room("demo", "r")).await;
    assert_eq!(client.event_id().await, "r");
}

#[tokio::test]
async fn an_authenticated_client_cannot_change_its_subject() {
    let system = guarded(IN_BAND).await;
    let mut client = system.connect("tenant=demo").await;
    assert_eq!(
        client.ask(&json!({ "action": "authenticate", "token": user("demo") })).await["type"],
        json!("authenticated")
    );
    let mut mallory = claims("demo");
    mallory["sub"] = json!("mallory");
    let answer = client.ask(&json!({ "action": "authenticate", "token": token(&mallory) })).await;
    assert_eq!(answer["code"], json!(ErrorCode::Forbidden));
}

#[tokio::test]
async fn a_pending_client_that_leaves_is_forgotten() {
    let system = guarded(IN_BAND).await;
    system.connect("tenant=demo").await.close().await;
    system.until_no_connection_is_registered().await;
}

#[tokio::test]
async fn without_authentication_the_message_is_refused() {
    let system = System::start().await;
    let mut client = system.connect("tenant=demo").await;
    let answer = client.ask(&json!({ "action": "authenticate", "token": user("demo") })).await;
    assert_eq!(answer["code"], json!(ErrorCode::Unauthorized));
}
