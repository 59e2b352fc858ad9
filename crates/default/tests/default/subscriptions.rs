//! The filter of a connection.

use entity_stream_connections::Authorisation;
use entity_stream_protocol::{ErrorCode, Filter};
use entity_stream_testing::{Endpoint, Reply};
use serde_json::json;

use crate::support::{OPEN, Setting};

#[tokio::test]
async fn a_filter_is_replaced_and_only_a_request_id_is_answered() {
    let setting = Setting::new(OPEN).await;
    let connection = setting.register(Authorisation::Open).await;
    setting.send(&connection, &json!({ "action": "subscribe", "entityTypes": ["Room"] })).await.unwrap();
    let filter = setting.registered(&connection).await.unwrap().subscriptions;
    assert_eq!(filter, [Filter::new(["Room"], None).unwrap().into()]);
    assert!(setting.api.asked().is_empty(), "a message without a request id has no answer");

    let message = json!({ "action": "subscribe", "idPattern": "^a", "requestId": "1" });
    let answer = setting.ask(&connection, &message).await;
    assert_eq!((&answer["type"], &answer["requestId"]), (&json!("subscribed"), &json!("1")), "{answer}");
    let filter = setting.registered(&connection).await.unwrap().subscriptions;
    assert_eq!(filter, [Filter::new([""; 0], Some("^a")).unwrap().into()]);

    let answer = setting.ask(&connection, &json!({ "action": "unsubscribe", "requestId": "2" })).await;
    assert_eq!((&answer["type"], &answer["requestId"]), (&json!("unsubscribed"), &json!("2")), "{answer}");
    assert_eq!(setting.registered(&connection).await.unwrap().subscriptions, []);
}

#[tokio::test]
async fn a_malformed_message_changes_nothing_and_is_answered() {
    let setting = Setting::new(OPEN).await;
    let connection = setting.register(Authorisation::Open).await;
    for (message, code) in [
        (json!({ "action": "subscribe", "idPattern": "(" }), ErrorCode::InvalidIdPattern),
        (json!({ "action": "subscribe", "entityTypes": "Room" }), ErrorCode::InvalidEntityTypes),
        (json!({ "action": "dance" }), ErrorCode::UnknownAction),
        (json!([]), ErrorCode::InvalidMessage),
    ] {
        let answer = setting.ask(&connection, &message).await;
        assert_eq!((&answer["type"], &answer["code"]), (&json!("error"), &json!(code)), "{message}: {answer}");
    }
    assert_eq!(setting.registered(&connection).await, Some(connection));
}

#[tokio::test]
async fn a_connection_that_is_not_registered_learns_it() {
    let setting = Setting::new(OPEN).await;
    let connection = setting.register(Authorisation::Open).await;
    setting.table.forget(&connection.id).await.unwrap();
    let answer = setting.ask(&connection, &json!({ "action": "subscribe" })).await;
    assert_eq!(answer["code"], json!(ErrorCode::NotConnected), "{answer}");
}

#[tokio::test]
async fn a_table_that_cannot_be_read_is_an_internal_error() {
    let dynamodb = Endpoint::script([Reply::Status(
        400,
        &[],
        r#"{"__type":"com.amazonaws.dynamodb.v20120810#ResourceNotFoundException","message":"no table"}"#.to_owned(),
    )])
    .await;
    let elsewhere = Setting::new(OPEN).await;
    let connection = elsewhere.register(Authorisation::Open).await;
    let setting = Setting::behind(&dynamodb.url, OPEN, Endpoint::script([Reply::status(200)]).await).await;
    let answer = setting.ask(&connection, &json!({ "action": "subscribe", "requestId": "1" })).await;
    assert_eq!((&answer["code"], &answer["requestId"]), (&json!(ErrorCode::Internal), &json!("1")), "{answer}");
    assert!(!answer.to_string().contains("ResourceNotFound"), "the reason is for the log: {answer}");
}
