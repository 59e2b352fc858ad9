//! An application of GeonicDB's: the messages and the assumptions of its SDK.

use serde_json::json;

use super::{NGSI_LD, accepted, ld};
use crate::harness::{System, room};

/// The URL of such an application, with the parameters that Entity Stream adds and those that it does not know.
const QUERY: &str = "tenant=city&wholeEntity=true&ack=always&deployment=prod&sdk=geonicdb-js";

#[tokio::test]
async fn every_subscribe_is_answered_and_unknown_parameters_are_ignored() {
    let system = System::start().await;
    let mut client = system.connect(QUERY).await;
    client.send(r#"{"action":"subscribe","entityTypes":["Room"],"idPattern":"^urn:1$"}"#).await;
    let answer = client.json().await;
    assert_eq!((&answer["type"], &answer["idPattern"]), (&json!("subscribed"), &json!("^urn:1$")));
    client.send(r#"{"action":"ping"}"#).await;
    assert_eq!(client.json().await, json!({ "type": "pong" }));
    // A subscription replaces the former one as a whole: without idPattern there is none.
    client.send(r#"{"action":"subscribe","entityTypes":["Room"]}"#).await;
    assert!(client.json().await["idPattern"].is_null());
    system.publish(&room("city", "urn:2")).await;
    assert_eq!(client.event_id().await, "urn:2");
    client.send(r#"{"action":"unsubscribe"}"#).await;
    assert_eq!(client.json().await["type"], "unsubscribed");
}

#[tokio::test]
async fn the_entity_is_whole_and_has_its_context() {
    let system = System::start().await;
    let mut client = system.connect(QUERY).await;
    let context = json!("https://c.example.org/context.jsonld");
    let created =
        ld(&[json!({ "id": "urn:1", "type": "Room", "@context": context, "a": { "type": "Property", "value": 1 } })]);
    accepted(&system, &NGSI_LD, created.replacen('{', r#"{"triggerReason":"entityCreated","#, 1)).await;
    assert_eq!(client.json().await["@context"], context);
    let part =
        ld(&[json!({ "id": "urn:1", "type": "Room", "@context": context, "b": { "type": "Property", "value": 2 } })]);
    accepted(&system, &NGSI_LD, part).await;
    let event = client.json().await;
    assert_eq!((&event["data"]["a"]["value"], &event["data"]["b"]["value"]), (&json!(1), &json!(2)), "{event}");
    assert_eq!(event["@context"], context);
}

#[tokio::test]
async fn an_oversized_event_has_empty_data() {
    let system = System::start().await;
    let mut client = system.connect("tenant=city&ack=always").await;
    let large = json!({ "id": "urn:1", "type": "Room", "@context": ["https://c"], "blob": "x".repeat(200 * 1024) });
    accepted(&system, &NGSI_LD, ld(&[large])).await;
    let event = client.json().await;
    assert_eq!((&event["data"], &event["truncated"]), (&json!({}), &json!(true)));
    assert_eq!(event["@context"], json!(["https://c"]));
    assert!(event["dataBytes"].as_u64().unwrap() > 200 * 1024);
}

#[tokio::test]
async fn a_replayed_event_has_its_context() {
    let system = System::start().await;
    let mut client = system.connect("tenant=city").await;
    let subscribed = client.ask(&json!({ "action": "subscribe", "requestId": "s" })).await;
    let entity = json!({ "id": "urn:1", "type": "Room", "@context": ["https://c"], "a": 1 });
    accepted(&system, &NGSI_LD, ld(&[entity])).await;
    assert_eq!(client.json().await["@context"], json!(["https://c"]));
    let mut late = system.connect("tenant=city&subscribe=none").await;
    let since = json!({ "position": subscribed["position"], "session": subscribed["session"] });
    late.send(json!({ "action": "subscribe", "since": since, "requestId": "1" }).to_string()).await;
    let event = late.json().await;
    assert_eq!((&event["replayed"], &event["@context"]), (&json!(true), &json!(["https://c"])), "{event}");
}
