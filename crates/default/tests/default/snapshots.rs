//! A snapshot in parts of entities that change meanwhile.

use std::collections::BTreeSet;
use std::time::Duration;

use entity_stream_connections::{Authorisation, Connection};
use entity_stream_history::StateTable;
use entity_stream_protocol::{EntityChange, EpochMillis, Event};
use serde_json::{Value, json};

use crate::support::{HISTORY, Setting};

async fn write(states: &StateTable, id: &str, kinds: &Value, now: EpochMillis) {
    let detail = json!({
        "type": "entityCreated", "tenant": "demo", "entityId": id, "entityType": kinds, "data": { "a": 1 },
    });
    let change = EntityChange::parse(&detail.to_string()).unwrap();
    // The function was throttled, so the event has waited.
    let event = Event::new(format!("{id} {kinds}"), now.minus(Duration::from_secs(300)).to_rfc3339(), change);
    states.apply(&event, now, now).await.unwrap();
}

/// The entities of a part, in their order, and the token of the next one.
async fn part(setting: &Setting, connection: &Connection, message: &Value) -> (Vec<String>, Value) {
    let before = setting.answers().len();
    setting.send(connection, message).await.unwrap();
    let mut frames = setting.answers().split_off(before);
    let answer = frames.pop().unwrap();
    let ids: Vec<_> = frames.iter().map(|frame| frame["entityId"].as_str().unwrap().to_owned()).collect();
    assert_eq!(answer["snapshot"], ids.len(), "{answer}");
    (ids, answer["snapshotNext"].clone())
}

#[tokio::test]
async fn has_the_entities_that_come_to_a_type_after_it_was_read() {
    let setting = Setting::new(HISTORY).await;
    let connection = setting.register(Authorisation::Open).await;
    let states = setting.states();
    let long_ago = setting.ago(600);
    for number in 0..520 {
        write(&states, &format!("a{number}"), &json!("A"), long_ago).await;
    }
    for number in 0..30 {
        write(&states, &format!("b{number}"), &json!("B"), long_ago).await;
        write(&states, &format!("both{number}"), &json!(["A", "B"]), long_ago).await;
    }
    let subscribe = json!({ "action": "subscribe", "entityTypes": ["A", "B"], "snapshot": true, "requestId": "1" });
    let (first, next) = part(&setting, &connection, &subscribe).await;
    assert!(first.len() == 500 && first.iter().all(|id| !id.starts_with("b") || id.starts_with("both")), "{next}");
    setting.hands.forward(1);
    for number in 0..20 {
        write(&states, &format!("b{number}"), &json!(["A"]), setting.now()).await;
    }
    let message = json!({ "action": "snapshot", "next": next, "requestId": "2" });
    let (second, next) = part(&setting, &connection, &message).await;
    assert_eq!(next, Value::Null);
    let (shown, distinct) = (first.len() + second.len(), first.into_iter().chain(second).collect::<BTreeSet<_>>());
    assert_eq!(distinct.len(), 520 + 30 + 30, "every entity is shown");
    assert_eq!(shown, distinct.len(), "entities with both types, and those that were read after their change, once");
}
