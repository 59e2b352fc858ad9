//! `since`: a client that comes back gets the events that it missed, before the answer.

use std::time::Duration;

use entity_stream_connections::{Authorisation, Connection, stable_hash};
use entity_stream_protocol::{GroupId, Position};
use serde_json::{Value, json};

use crate::support::{HISTORY, OPEN, Setting, ids};

#[tokio::test]
async fn everything_after_its_position_is_replayed_oldest_first() {
    let setting = Setting::new(HISTORY).await;
    let connection = setting.register(Authorisation::Open).await;
    let mut positions = Vec::new();
    for (id, seconds) in [("newest", 1), ("oldest", 60), ("middle", 30), ("long ago", 3000)] {
        positions.push((id, setting.past(id, setting.ago(seconds), &json!({})).await));
    }

    let message = json!({ "action": "subscribe", "since": setting.since(setting.ago(60), "earlier") });
    let (events, answer) = setting.replay(&connection, &message).await;

    assert_eq!(ids(&events), ["oldest", "middle", "newest"]);
    for event in &events {
        let (_, position) = positions.iter().find(|(id, _)| event["id"] == *id).unwrap();
        let expected = json!({
            "type": "entityUpdated", "id": event["id"], "tenant": "demo", "servicePath": "/", "entityId": "urn:room:1",
            "entityType": "Room", "data": { "temperature": { "type": "Number", "value": 21.5 } },
            "timestamp": "2026-01-02T03:04:05Z", "position": position, "replayed": true,
        });
        assert_eq!(*event, expected);
    }
    assert_eq!((&answer["recovered"], &answer["replayed"]), (&json!(true), &json!(3)), "{answer}");
    assert_eq!(answer["session"], "earlier");
    assert_eq!(Position::parse(answer["position"].as_str().unwrap()).unwrap().time(), Some(setting.now()));
}

/// Some events that the client has are replayed too: late events may have earlier positions.
#[tokio::test]
async fn it_begins_fifteen_seconds_before_the_position() {
    let setting = Setting::new(HISTORY).await;
    let connection = setting.register(Authorisation::Open).await;
    let start = setting.ago(75);
    setting.past("before", start.minus(Duration::from_millis(1)), &json!({})).await;
    setting.past("first", start, &json!({})).await;
    let message = json!({ "action": "subscribe", "since": setting.since(setting.ago(60), "earlier") });
    let (events, _) = setting.replay(&connection, &message).await;
    assert_eq!(ids(&events), ["first"]);
}

#[tokio::test]
async fn a_rewind_goes_back_by_seconds() {
    let setting = Setting::new(HISTORY).await;
    let connection = setting.register(Authorisation::Open).await;
    for seconds in [1, 29, 31, 33, 40] {
        setting.past(&seconds.to_string(), setting.ago(seconds), &json!({})).await;
    }
    let message = json!({ "action": "subscribe", "since": { "seconds": 30 } });
    let (events, answer) = setting.replay(&connection, &message).await;
    // Two clocks of the service may differ by two seconds.
    assert_eq!(ids(&events), ["31", "29", "1"]);
    assert_eq!((&answer["recovered"], &answer["replayed"]), (&json!(true), &json!(3)));
    assert_eq!(answer["session"], connection.id.as_str(), "a rewind stays in the session");
}

#[tokio::test]
async fn nothing_is_replayed_without_since() {
    let setting = Setting::new(HISTORY).await;
    let connection = setting.register(Authorisation::Open).await;
    setting.past("e", setting.ago(1), &json!({})).await;
    let message = json!({ "action": "subscribe", "subscription": "map", "requestId": "1" });
    let (events, answer) = setting.replay(&connection, &message).await;
    assert_eq!(events, [Value::Null; 0]);
    let position = &answer["position"];
    let session = connection.id.as_str();
    let expected = json!({
        "type": "subscribed", "subscription": "map", "position": position, "session": session, "requestId": "1",
    });
    assert_eq!(answer, expected);
    assert!(position.as_str().is_some_and(|position| (1..=64).contains(&position.len())));
}

/// A message with `since` is always answered, so that the client learns the verdict.
#[tokio::test]
async fn a_message_with_since_is_answered_without_a_request() {
    for settings in [HISTORY, OPEN] {
        let setting = Setting::new(settings).await;
        let connection = setting.register(Authorisation::Open).await;
        setting.send(&connection, &json!({ "action": "subscribe" })).await.unwrap();
        assert!(setting.answers().is_empty());
        let message = json!({ "action": "subscribe", "since": { "seconds": 1 } });
        let (_, answer) = setting.replay(&connection, &message).await;
        assert!(answer["recovered"].is_boolean(), "{answer}");
    }
}

#[tokio::test]
async fn the_connection_takes_the_place_of_its_session() {
    let setting = Setting::new(HISTORY).await;
    let connection = setting.register(Authorisation::Open).await;
    let message = json!({ "action": "subscribe", "since": setting.since(setting.ago(5), "earlier=") });
    setting.replay(&connection, &message).await;
    let registered = setting.registered(&connection).await.unwrap();
    assert_eq!(registered.session().as_str(), "earlier=");
    let interests = registered.interests();
    assert!(interests.iter().all(|interest| interest.hash() == stable_hash(b"earlier=")), "{interests:?}");
    // Later answers name the same session.
    let (_, answer) = setting.replay(&connection, &json!({ "action": "subscribe", "requestId": "2" })).await;
    assert_eq!(answer["session"], "earlier=");
}

#[tokio::test]
async fn a_connection_takes_the_place_of_one_session_only() {
    let setting = Setting::new(HISTORY).await;
    let connection = setting.register(Authorisation::Open).await;
    let since = setting.since(setting.ago(5), "earlier");
    setting.replay(&connection, &json!({ "action": "subscribe", "since": since })).await;
    setting.hands.forward(10);
    let before = setting.registered(&connection).await;
    for session in ["another", connection.id.as_str()] {
        let since = setting.since(setting.ago(5), session);
        let message = json!({ "action": "subscribe", "entityTypes": ["Car"], "since": since });
        let (events, answer) = setting.replay(&connection, &message).await;
        assert_eq!((events.len(), &answer["code"]), (0, &json!("invalid_since")), "{answer}");
    }
    assert_eq!(setting.registered(&connection).await, before, "nothing is changed");
}

/// An attempt that was repeated has several positions.
#[tokio::test]
async fn an_event_is_replayed_once_at_its_last_position() {
    let setting = Setting::new(HISTORY).await;
    let connection = setting.register(Authorisation::Open).await;
    setting.past("twice", setting.ago(50), &json!({})).await;
    setting.past("once", setting.ago(40), &json!({})).await;
    let last = setting.past("twice", setting.ago(30), &json!({})).await;
    let message = json!({ "action": "subscribe", "since": { "seconds": 60 } });
    let (events, answer) = setting.replay(&connection, &message).await;
    assert_eq!(ids(&events), ["once", "twice"]);
    assert_eq!(events[1]["position"], json!(last));
    assert_eq!(answer["replayed"], 2);
}

#[tokio::test]
async fn no_other_tenant_is_replayed() {
    let setting = Setting::new(HISTORY).await;
    let connection = setting.register(Authorisation::Open).await;
    for tenant in ["other", "dem", "demo2"] {
        setting.past_of(tenant, tenant, setting.ago(1), &json!({})).await;
    }
    setting.past("own", setting.ago(1), &json!({})).await;
    let message = json!({ "action": "subscribe", "since": { "seconds": 60 } });
    assert_eq!(ids(&setting.replay(&connection, &message).await.0), ["own"]);
}

#[tokio::test]
async fn a_connection_may_ask_once_in_ten_seconds() {
    let setting = Setting::new(HISTORY).await;
    let connection = setting.register(Authorisation::Open).await;
    setting.past("e", setting.ago(1), &json!({})).await;
    let message = json!({ "action": "subscribe", "since": { "seconds": 60 } });
    assert_eq!(setting.replay(&connection, &message).await.0.len(), 1);
    let before = setting.registered(&connection).await;
    setting.hands.forward(9);
    let again = json!({ "action": "subscribe", "entityTypes": ["Car"], "since": { "seconds": 60 } });
    let (events, answer) = setting.replay(&connection, &again).await;
    assert_eq!((events.len(), &answer["code"]), (0, &json!("limit_exceeded")), "{answer}");
    assert_eq!(setting.registered(&connection).await, before, "nothing is changed");
    setting.hands.forward(1);
    assert_eq!(setting.replay(&connection, &message).await.1["recovered"], true);
}

#[tokio::test]
async fn members_of_a_group_cannot_ask() {
    let setting = Setting::new(HISTORY).await;
    let group = GroupId::parse("workers").ok();
    let connection = setting.register_as(|connection| Connection { group, ..connection }).await;
    setting.past("e", setting.ago(1), &json!({})).await;
    let before = setting.registered(&connection).await;
    for since in [json!({ "seconds": 60 }), setting.since(setting.ago(5), "earlier")] {
        let message = json!({ "action": "subscribe", "entityTypes": ["Car"], "since": since, "requestId": "7" });
        let (events, answer) = setting.replay(&connection, &message).await;
        assert_eq!((events.len(), &answer["code"], &answer["requestId"]), (0, &json!("not_available"), &json!("7")));
    }
    assert_eq!(setting.registered(&connection).await, before, "nothing is changed");
    // They have no place of their own in the history.
    let message = json!({ "action": "subscribe", "requestId": "1" });
    let (_, answer) = setting.replay(&connection, &message).await;
    assert_eq!(answer, json!({ "type": "subscribed", "requestId": "1" }));
}

/// A read of the history is kept in the instance. Every resume still gets the events written meanwhile.
#[tokio::test]
async fn later_resumes_find_what_was_written_meanwhile() {
    let setting = Setting::new(HISTORY).await;
    let connection = setting.register(Authorisation::Open).await;
    let mut expected = Vec::new();
    for round in 0..4 {
        let id = format!("e{round}");
        setting.past(&id, setting.ago(1), &json!({})).await;
        expected.push(id);
        let message = json!({ "action": "subscribe", "since": { "seconds": 600 } });
        let (events, _) = setting.replay(&connection, &message).await;
        assert_eq!(ids(&events), expected);
        setting.hands.forward(20);
    }
}
