//! The answers to changes of subscriptions: as the connection asked for in its URL, else as the deployment says.

use entity_stream_connections::{Authorisation, Connection};
use entity_stream_protocol::Acknowledgement;
use entity_stream_testing::{Endpoint, Reply};
use serde_json::{Value, json};

use crate::support::{OPEN, Setting};

const ALWAYS: &[(&str, &str)] = &[("AUTH_ENABLED", "false"), ("SUBSCRIBE_ACK", "always")];
const REQUEST: &[(&str, &str)] = &[("AUTH_ENABLED", "false"), ("SUBSCRIBE_ACK", "request")];

/// A message of each kind, and the answer to it.
fn messages() -> [(Value, Value); 5] {
    [
        (
            json!({ "action": "subscribe", "entityTypes": ["Room", "Room"] }),
            json!({ "type": "subscribed", "entityTypes": ["Room"] }),
        ),
        (
            json!({ "action": "subscribe", "subscription": "map", "entityIds": ["a"], "representation": "keyValues" }),
            json!({ "type": "subscribed", "subscription": "map", "entityIds": ["a"], "representation": "keyValues" }),
        ),
        (
            json!({ "action": "subscribe", "subscriptions": [{ "subscription": "list" }, { "q": "a>1" }] }),
            json!({ "type": "subscribed", "subscriptions": [{ "subscription": "list" }, { "q": "a>1" }] }),
        ),
        (
            json!({ "action": "unsubscribe", "subscription": "map" }),
            json!({ "type": "unsubscribed", "subscription": "map" }),
        ),
        (json!({ "action": "unsubscribe" }), json!({ "type": "unsubscribed" })),
    ]
}

#[tokio::test]
async fn the_connection_decides_before_the_deployment() {
    use Acknowledgement::{Always, Request};
    for (settings, of_connection, always) in [
        (OPEN, None, false),
        (OPEN, Some(Always), true),
        (OPEN, Some(Request), false),
        (REQUEST, None, false),
        (REQUEST, Some(Always), true),
        (ALWAYS, None, true),
        (ALWAYS, Some(Always), true),
        (ALWAYS, Some(Request), false),
    ] {
        let setting = Setting::new(settings).await;
        let connection = setting.register(Authorisation::Open).await;
        setting.table.forget(&connection.id).await.unwrap();
        let connection = Connection { acknowledgement: of_connection, ..connection };
        setting.table.register(&connection).await.unwrap();
        for (message, answer) in messages() {
            let before = setting.answers().len();
            setting.send(&connection, &message).await.unwrap();
            let expected: &[Value] = if always { std::slice::from_ref(&answer) } else { &[] };
            assert_eq!(setting.answers()[before..], *expected, "{settings:?}, {of_connection:?}: {message}");
        }
        for (mut message, mut answer) in messages() {
            message["requestId"] = json!("7");
            answer["requestId"] = json!("7");
            assert_eq!(setting.ask(&connection, &message).await, answer, "{settings:?}, {of_connection:?}");
        }
        // An error and a pong need no request.
        let unknown = setting.ask(&connection, &json!({ "action": "unsubscribe", "subscription": "map" })).await;
        assert_eq!((&unknown["code"], &unknown["subscription"]), (&json!("not_subscribed"), &json!("map")));
        assert_eq!(setting.ask(&connection, &json!({ "action": "ping" })).await, json!({ "type": "pong" }));
    }
}

/// DynamoDB cancels each transaction, as it does while other messages of the connection change it.
#[tokio::test]
async fn a_message_that_others_overtake_is_a_conflict() {
    let connection = Setting::new(OPEN).await.register(Authorisation::Open).await;
    let dynamodb = conflicting().await;
    let contended = Setting::behind(&dynamodb.url, OPEN, Endpoint::script([Reply::status(200)]).await).await;
    let message = json!({ "action": "subscribe", "subscription": "map", "entityTypes": ["Room"] });
    let answer = contended.ask(&connection, &message).await;
    assert_eq!((&answer["code"], &answer["subscription"]), (&json!("conflict"), &json!("map")), "{answer}");
    let answer = contended.ask(&connection, &json!({ "action": "subscribe" })).await;
    assert_eq!((&answer["code"], answer.get("subscription")), (&json!("conflict"), None), "{answer}");
}

/// A table that has one connection, and in which each change is overtaken.
async fn conflicting() -> Endpoint {
    let now = entity_stream_testing::Hands::default().clock().now();
    Endpoint::new(move |asked| {
        let target = asked.headers.get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default();
        if target.ends_with("GetItem") {
            let item = json!({ "Item": {
                "pk": { "S": "C#Qw7LqXg9IAMCGqA=" }, "sk": { "S": "C" }, "tenant": { "S": "demo" },
                "format": { "S": "json" }, "subscriptions": { "L": [] },
                "connectedAt": { "N": now.millis().to_string() }, "revision": { "N": "1" },
                "expiresAt": { "N": (now.seconds() + 7200).to_string() },
            }});
            return Reply::json(item.to_string());
        }
        let reasons = json!([{ "Code": "TransactionConflict", "Message": "Transaction is ongoing for the item" }]);
        let cancelled = json!({
            "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
            "message": "Transaction cancelled", "CancellationReasons": reasons,
        });
        Reply::Status(400, &[("content-type", "application/x-amz-json-1.0")], cancelled.to_string())
    })
    .await
}
