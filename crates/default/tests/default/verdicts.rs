//! The verdict of a resume: all events, or none and the reason.

use std::time::Duration;

use entity_stream_connections::{Authorisation, Connection};
use entity_stream_protocol::{EpochMillis, Filter, Position};
use entity_stream_testing::{Asked, Endpoint, Reply, dynamodb_url};
use serde_json::{Value, json};

use crate::support::{HISTORY, OPEN, Setting, ids};

/// Resumes with new subscriptions. Nothing is replayed, and the subscriptions have changed all the same.
async fn not_recovered(setting: &Setting, connection: &Connection, since: &Value, reason: &str) -> Value {
    let message = json!({ "action": "subscribe", "entityTypes": ["Room"], "since": since, "requestId": "1" });
    let (events, answer) = setting.replay(connection, &message).await;
    assert_eq!(events, [Value::Null; 0], "{reason}");
    let expected = (&json!("subscribed"), &json!(false), &json!(reason), &Value::Null);
    assert_eq!((&answer["type"], &answer["recovered"], &answer["reason"], &answer["replayed"]), expected, "{answer}");
    let registered = setting.registered(connection).await.unwrap();
    assert_eq!(registered.subscriptions, [Filter::new(["Room"], None).unwrap().into()]);
    answer
}

async fn with_an_event() -> (Setting, Connection) {
    let setting = Setting::new(HISTORY).await;
    let connection = setting.register(Authorisation::Open).await;
    setting.past("e", setting.ago(1), &json!({})).await;
    (setting, connection)
}

#[tokio::test]
async fn expired_if_the_history_does_not_go_back_so_far() {
    let minutes = 60 * 60;
    for (since_of, is_expired) in [
        (json!({ "seconds": minutes + 1 }), true),
        (json!({ "seconds": u32::MAX }), true),
        (json!({ "seconds": minutes }), false),
    ] {
        let (setting, connection) = with_an_event().await;
        if is_expired {
            not_recovered(&setting, &connection, &since_of, "expired").await;
        } else {
            let message = json!({ "action": "subscribe", "since": since_of });
            assert_eq!(setting.replay(&connection, &message).await.1["recovered"], true, "{message}");
        }
    }
    for (at, is_expired) in [(3_600_001, true), (3_600_000, false)] {
        let (setting, connection) = with_an_event().await;
        let since = setting.since(setting.now().minus(Duration::from_millis(at)), "earlier");
        if is_expired {
            let answer = not_recovered(&setting, &connection, &since, "expired").await;
            assert_eq!(answer["session"], "earlier", "it takes the place all the same");
        } else {
            let message = json!({ "action": "subscribe", "since": since });
            assert_eq!(setting.replay(&connection, &message).await.1["recovered"], true, "{message}");
        }
    }
}

#[tokio::test]
async fn unknown_position_if_this_service_never_gave_it() {
    let (setting, _) = with_an_event().await;
    let future = setting.history().position_of(setting.now().plus(Duration::from_millis(4_001))).to_string();
    // A position of another service, with another table.
    let other = Setting::new(HISTORY).await.history().position_of(setting.now()).to_string();
    let early = Position::new(setting.now(), 0).to_string();
    for position in ["x", "~", &"0".repeat(64), "019B7CD344880000000000000007", &future, &other, &early] {
        let connection = setting.register(Authorisation::Open).await;
        let since = json!({ "position": position, "session": "earlier" });
        not_recovered(&setting, &connection, &since, "unknown_position").await;
    }
    // Two clocks of the service may differ.
    let connection = setting.register(Authorisation::Open).await;
    let since = setting.since(setting.now().plus(Duration::from_secs(4)), "earlier");
    let message = json!({ "action": "subscribe", "since": since });
    assert_eq!(setting.replay(&connection, &message).await.1["recovered"], true);
}

#[tokio::test]
async fn unavailable_without_a_history() {
    let setting = Setting::new(OPEN).await;
    let connection = setting.register(Authorisation::Open).await;
    let answer = not_recovered(&setting, &connection, &json!({ "seconds": 1 }), "unavailable").await;
    assert_eq!((answer.get("position"), answer.get("session")), (None, None));
}

#[tokio::test]
async fn unavailable_until_the_history_has_been_written_for_so_long() {
    let (setting, connection) = with_an_event().await;
    setting.history().end_epoch().await.unwrap();
    not_recovered(&setting, &connection, &json!({ "seconds": 1 }), "unavailable").await;
    // Two seconds belong to the rewind, and fifteen to a position.
    setting.history().begin_epoch_at(setting.ago(30)).await.unwrap();
    for (since, is_recovered) in [
        (json!({ "seconds": 28 }), true),
        (json!({ "seconds": 29 }), false),
        (setting.since(setting.ago(15), "earlier"), true),
        (setting.since(setting.ago(16), "earlier"), false),
    ] {
        let connection = setting.register(Authorisation::Open).await;
        if is_recovered {
            let message = json!({ "action": "subscribe", "since": since });
            assert_eq!(setting.replay(&connection, &message).await.1["recovered"], true, "{message}");
        } else {
            not_recovered(&setting, &connection, &since, "unavailable").await;
        }
    }
}

/// A longer retention begins a new epoch only with the next event. Events of the shorter one are gone sooner.
#[tokio::test]
async fn expired_after_the_retention_of_the_epoch() {
    let (setting, connection) = with_an_event().await;
    setting.history().end_epoch().await.unwrap();
    let short = setting.shorter_history(Duration::from_secs(600));
    short.begin_epoch_at(EpochMillis::new(0)).await.unwrap();
    not_recovered(&setting, &connection, &json!({ "seconds": 601 }), "expired").await;
}

#[tokio::test]
async fn unavailable_while_the_table_cannot_be_read() {
    let refused = || {
        let body = r#"{"__type":"com.amazonaws.dynamodb.v20120810#ResourceNotFoundException","message":"no table"}"#;
        Reply::Status(400, &[("content-type", "application/x-amz-json-1.0")], body.to_owned())
    };
    for (operation, mark) in [("GetItem", r#""E""#), ("Query", r#""H#demo#"#)] {
        let dynamodb = Endpoint::new(move |asked: &Asked| {
            let target = asked.headers.get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default();
            let is_history = String::from_utf8_lossy(&asked.body).contains(mark);
            if target.ends_with(operation) && is_history { refused() } else { Reply::From(dynamodb_url().to_owned()) }
        });
        let setting =
            Setting::prepared(&dynamodb.await.url, HISTORY, Endpoint::script([Reply::status(200)]).await).await;
        let connection = setting.register(Authorisation::Open).await;
        setting.past("e", setting.ago(1), &json!({})).await;
        let answer = not_recovered(&setting, &connection, &json!({ "seconds": 1 }), "unavailable").await;
        assert!(answer["position"].is_string(), "{operation}: {answer}");
    }
}

#[tokio::test]
async fn too_many_beyond_300_messages_or_1000_events_in_frames() {
    for (takes_batches, views, most) in [(false, 1, 300), (false, 2, 150), (true, 1, 1000)] {
        let setting = Setting::new(HISTORY).await;
        let batches = |connection| Connection { takes_batches, ..connection };
        let connection = setting.register_as(batches).await;
        setting.many(most).await;
        let mut list = vec![json!({ "entityTypes": ["Room"] })];
        if views == 2 {
            list.push(json!({ "subscription": "keys", "representation": "keyValues", "entityTypes": ["Room"] }));
        }
        let message = json!({ "action": "subscribe", "subscriptions": list, "since": { "seconds": 60 } });
        let (frames, answer) = setting.replay(&connection, &message).await;
        assert_eq!((&answer["recovered"], &answer["replayed"]), (&json!(true), &json!(most)));
        if takes_batches {
            let sizes = frames.iter().map(|frame| frame["events"].as_array().unwrap().len());
            assert_eq!(sizes.sum::<usize>(), most);
        } else {
            assert_eq!(frames.len(), 300);
        }

        setting.past("one more", setting.ago(5), &json!({})).await;
        setting.hands.forward(10);
        let (frames, answer) = setting.replay(&connection, &message).await;
        assert_eq!((frames.len(), &answer["recovered"], &answer["reason"]), (0, &json!(false), &json!("too_many")));
        // Events that do not match do not count.
        setting.hands.forward(10);
        let fewer = json!({ "action": "subscribe", "entityIds": ["urn:room:1"], "since": { "seconds": 60 } });
        assert_eq!(ids(&setting.replay(&connection, &fewer).await.0), ["one more"]);
    }
}
