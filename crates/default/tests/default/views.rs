//! The form of replayed events: the filter, the view and the name of each subscription, the format, and frames of several events.

use entity_stream_connections::{Authorisation, Connection};
use entity_stream_protocol::Format;
use serde_json::{Value, json};

use crate::support::{HISTORY, Setting, ids};

async fn replay(setting: &Setting, connection: &Connection, mut message: Value) -> (Vec<Value>, Value) {
    message["action"] = json!("subscribe");
    message["since"] = json!({ "seconds": 60 });
    setting.replay(connection, &message).await
}

#[tokio::test]
async fn each_filter_selects() {
    let setting = Setting::new(HISTORY).await;
    let hot = json!({ "data": { "temperature": { "type": "Number", "value": 40 } } });
    let changed = json!({ "changedAttributes": ["humidity"] });
    for (seconds, id, fields) in [
        (9, "plain", json!({})),
        (8, "car", json!({ "entityType": "Car", "entityId": "urn:car:1" })),
        (7, "other", json!({ "entityId": "urn:room:2" })),
        (6, "hot", hot),
        (5, "humid", changed),
        (4, "path", json!({ "servicePath": "/a" })),
    ] {
        setting.past(id, setting.ago(seconds), &fields).await;
    }
    for (filter, expected) in [
        (json!({}), vec!["plain", "car", "other", "hot", "humid", "path"]),
        (json!({ "entityTypes": ["Car"] }), vec!["car"]),
        (json!({ "entityIds": ["urn:room:2", "urn:car:1"] }), vec!["car", "other"]),
        (json!({ "idPattern": "^urn:car" }), vec!["car"]),
        (json!({ "entityTypes": ["Room"], "idPattern": "2$" }), vec!["other"]),
        (json!({ "q": "temperature>30" }), vec!["hot"]),
        (json!({ "servicePath": "/a" }), vec!["path"]),
        (json!({ "entityTypes": ["Tram"] }), vec![]),
    ] {
        let connection = setting.register(Authorisation::Open).await;
        let (events, answer) = replay(&setting, &connection, filter.clone()).await;
        assert_eq!(ids(&events), expected, "{filter}");
        assert_eq!((&answer["recovered"], &answer["replayed"]), (&json!(true), &json!(expected.len())), "{filter}");
    }
}

/// Subscriptions with the same view share a message, as in live events.
#[tokio::test]
async fn each_view_of_the_subscriptions_that_want_an_event_is_a_message() {
    let setting = Setting::new(HISTORY).await;
    let connection = setting.register(Authorisation::Open).await;
    setting.past("both", setting.ago(9), &json!({})).await;
    setting.past("car", setting.ago(8), &json!({ "entityType": "Car" })).await;
    let message = json!({ "subscriptions": [
        { "subscription": "a", "entityTypes": ["Room"] },
        { "subscription": "b" },
        { "subscription": "c", "representation": "keyValues", "entityTypes": ["Room"] },
        { "subscription": "d", "entityTypes": ["Tram"] },
    ] });

    let (events, answer) = replay(&setting, &connection, message).await;

    assert_eq!(ids(&events), ["both", "both", "car"]);
    assert_eq!(events[0]["subscriptions"], json!(["a", "b"]));
    assert_eq!(events[1]["subscriptions"], json!(["c"]));
    assert_eq!(events[1]["data"], json!({ "temperature": 21.5 }));
    assert_eq!(events[2]["subscriptions"], json!(["b"]));
    assert_eq!(answer["replayed"], 2, "an event counts once");
}

/// The others had their events all the time.
#[tokio::test]
async fn only_the_subscriptions_of_the_message_are_replayed() {
    let setting = Setting::new(HISTORY).await;
    let connection = setting.register(Authorisation::Open).await;
    setting.past("room", setting.ago(9), &json!({})).await;
    setting.past("car", setting.ago(8), &json!({ "entityType": "Car" })).await;
    let (events, _) = replay(&setting, &connection, json!({ "subscription": "cars", "entityTypes": ["Car"] })).await;
    assert_eq!(ids(&events), ["car"]);
    assert_eq!(events[0]["subscriptions"], json!(["cars"]));
}

#[tokio::test]
async fn the_format_is_that_of_the_connection() {
    let setting = Setting::new(HISTORY).await;
    let connection = setting.register_as(|it| Connection { format: Format::CloudEvents, ..it }).await;
    let position = setting.past("e", setting.ago(9), &json!({})).await;
    let (events, answer) = replay(&setting, &connection, json!({})).await;
    assert_eq!((&events[0]["specversion"], &events[0]["type"]), (&json!("1.0"), &json!("entityUpdated")));
    assert_eq!((&events[0]["data"]["replayed"], &events[0]["data"]["position"]), (&json!(true), &json!(position)));
    assert_eq!(answer["recovered"], true);
}

/// The data is not known any more, so a query cannot leave the event out.
#[tokio::test]
async fn an_event_without_its_data_is_truncated_whatever_the_query_says() {
    let setting = Setting::new(HISTORY).await;
    let data = json!({ "temperature": { "type": "Number", "value": 1 }, "text": "x".repeat(200_000) });
    let data_bytes = data.to_string().len();
    setting.past("large", setting.ago(9), &json!({ "data": data })).await;
    for (filter, expected) in [
        (json!({ "q": "temperature>30" }), 1),
        (json!({ "q": "temperature>30", "entityTypes": ["Room"] }), 1),
        (json!({ "q": "temperature>30", "entityTypes": ["Car"] }), 0),
    ] {
        let connection = setting.register(Authorisation::Open).await;
        let (events, _) = replay(&setting, &connection, filter).await;
        assert_eq!(events.len(), expected);
        for event in events {
            assert_eq!((&event["data"], &event["truncated"]), (&json!({}), &json!(true)));
            assert_eq!(event["dataBytes"], data_bytes);
        }
    }
}

/// API Gateway bills a message for each 32 KB.
#[tokio::test]
async fn frames_hold_several_events_for_clients_that_take_them() {
    let setting = Setting::new(HISTORY).await;
    let connection = setting.register_as(|it| Connection { takes_batches: true, ..it }).await;
    for i in 0..7_u64 {
        let data = json!({ "data": { "a": "x".repeat(10_000) } });
        setting.past(&format!("e{i}"), setting.ago(20 - i), &data).await;
    }
    let (frames, answer) = replay(&setting, &connection, json!({})).await;
    let mut all = Vec::new();
    for frame in &frames {
        let events = match frame["type"].as_str() {
            Some("events") => frame["events"].as_array().unwrap().clone(),
            _ => vec![frame.clone()],
        };
        assert!(frame.to_string().len() <= 32 * 1024);
        all.extend(events);
    }
    assert_eq!(ids(&all), ["e0", "e1", "e2", "e3", "e4", "e5", "e6"]);
    assert!(all.iter().all(|event| event["replayed"] == true));
    assert_eq!(frames.len(), 3, "3 + 3 + 1");
    assert_eq!(answer["replayed"], 7);
}
