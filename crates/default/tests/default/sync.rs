//! `sync` tells a client its place in the history, as long as its connection is registered.

use std::time::Duration;

use entity_stream_connections::{Authorisation, Connection, Grant};
use entity_stream_protocol::Position;
use serde_json::{Value, json};

use crate::support::{HISTORY, IN_BAND, OPEN, Setting, ids};

fn sync() -> Value {
    json!({ "action": "sync", "requestId": "7" })
}

#[tokio::test]
async fn is_answered_with_a_position_worth_resuming_from() {
    let setting = Setting::new(HISTORY).await;
    let connection = setting.register(Authorisation::Open).await;
    setting.past("had", setting.ago(60), &json!({})).await;

    let answer = setting.ask(&connection, &sync()).await;

    let position = answer["position"].as_str().unwrap();
    assert_eq!(answer, json!({ "type": "synced", "position": position, "requestId": "7" }));
    assert_eq!(Position::parse(position).unwrap().time(), Some(setting.now()));
    setting.hands.forward(100);
    setting.past("missed", setting.ago(50), &json!({})).await;
    let other = setting.register(Authorisation::Open).await;
    let message =
        json!({ "action": "subscribe", "since": { "position": position, "session": connection.id.as_str() } });
    let (events, answer) = setting.replay(&other, &message).await;
    assert_eq!((ids(&events), &answer["recovered"]), (vec!["missed"], &json!(true)));
    let without = setting.ask(&connection, &json!({ "action": "sync" })).await;
    assert_eq!((&without["type"], without.get("requestId")), (&json!("synced"), None));
}

/// An event that is written after the position comes live or in the next resume, so a position never lies ahead.
#[tokio::test]
async fn grows_with_time() {
    let setting = Setting::new(HISTORY).await;
    let connection = setting.register(Authorisation::Open).await;
    let mut last = String::new();
    for _ in 0..3 {
        let position = setting.ask(&connection, &sync()).await["position"].as_str().unwrap().to_owned();
        assert!(last < position);
        let event = setting.past("e", setting.now(), &json!({})).await;
        assert!(position.as_str() < event.as_str(), "an event of the same millisecond is later");
        last = position;
        setting.hands.forward(1);
    }
}

#[tokio::test]
async fn tells_a_connection_that_it_is_not_registered_any_more() {
    let setting = Setting::new(HISTORY).await;
    let connection = setting.register(Authorisation::Open).await;
    setting.table.forget(&connection.id).await.unwrap();
    let answer = setting.ask(&connection, &sync()).await;
    let expected = (&json!("error"), &json!("not_connected"), &json!("sync"), &json!("7"));
    assert_eq!((&answer["type"], &answer["code"], &answer["action"], &answer["requestId"]), expected, "{answer}");
}

#[tokio::test]
async fn is_not_available_without_a_history() {
    let setting = Setting::new(OPEN).await;
    let connection = setting.register(Authorisation::Open).await;
    let answer = setting.ask(&connection, &sync()).await;
    assert_eq!((&answer["type"], &answer["code"]), (&json!("error"), &json!("not_available")), "{answer}");
    assert_eq!(answer["requestId"], "7");
}

#[tokio::test]
async fn needs_a_valid_authorisation() {
    let setting = Setting::new(HISTORY).await;
    let until = setting.now().plus(Duration::from_secs(60));
    let grant = Authorisation::Granted(Grant::new("alice", "user", Some(until)));
    let connection = setting.register(grant).await;
    assert_eq!(setting.ask(&connection, &sync()).await["type"], "synced");
    setting.hands.forward(60);
    assert_eq!(setting.ask(&connection, &sync()).await["code"], "unauthorized");
    let pending = setting.register_as(|it| Connection { authorisation: Authorisation::Pending, ..it }).await;
    assert_eq!(setting.ask(&pending, &sync()).await["code"], "unauthorized");
}

/// A client that has not authenticated learns only that it must.
#[tokio::test]
async fn says_nothing_about_the_service_to_a_client_that_waits() {
    let setting = Setting::new(IN_BAND).await;
    let connection = setting.register(Authorisation::Pending).await;
    let answer = setting.ask(&connection, &sync()).await;
    assert_eq!(answer["type"], "error");
    assert!(["not_available", "unauthorized"].contains(&answer["code"].as_str().unwrap()), "{answer}");
}

#[tokio::test]
async fn changes_nothing() {
    let setting = Setting::new(HISTORY).await;
    let connection = setting.register(Authorisation::Open).await;
    setting.ask(&connection, &sync()).await;
    assert_eq!(setting.registered(&connection).await, Some(connection));
}
