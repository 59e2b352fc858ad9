//! Entities as they are: snapshots, whole entities, and collections.

use entity_stream_local::Local;
use serde_json::{Value, json};

use crate::harness::{listen, run_with, start, system};
use crate::server::WebSocketServer;

/// Publishes a change of a vehicle.
async fn publish(system: &Local, kind: &str, id: &str, data: Value) {
    let line = json!({ "type": kind, "entityId": id, "entityType": "Vehicle", "data": data });
    let args = ["publish", "demo", "--file", "-", "--endpoint-url", &system.http_url()];
    let ended = run_with(&args, &[], &line.to_string()).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    system.settled().await;
}

fn without_time(line: &str) -> &str {
    line.split_once(' ').map(|(_, rest)| rest).unwrap_or_default()
}

#[tokio::test]
async fn a_listener_begins_with_the_entities_that_match() {
    let system = system().await;
    publish(&system, "entityCreated", "urn:1", json!({ "speed": 60, "fuel": 7 })).await;
    publish(&system, "entityCreated", "urn:2", json!({ "speed": 10 })).await;
    publish(&system, "entityUpdated", "urn:1", json!({ "speed": 70 })).await;
    let url = system.websocket_url();
    let mut listener = start(&["listen", "demo", "--url", &url, "--q", "speed>50", "--snapshot", "--count", "2"]);
    assert_eq!(without_time(&listener.line().await), "is Vehicle urn:1 fuel=7 speed=70");
    listener.says("listening to demo").await;
    assert_eq!(listener.says("the snapshot").await, "the snapshot is complete: 1 entity matches");
    publish(&system, "entityUpdated", "urn:2", json!({ "speed": 80 })).await;
    assert_eq!(without_time(&listener.line().await), "updated Vehicle urn:2 speed=80");
    publish(&system, "entityUpdated", "urn:1", json!({ "speed": 30 })).await;
    assert_eq!(without_time(&listener.line().await), "left Vehicle urn:1");
    let summary = listener.says("2 events in").await;
    assert!(summary.ends_with(": 1 updated, 1 left; 1 of a snapshot"), "{summary}");
    assert_eq!(listener.exit().await.code(), Some(0));

    let named = r#"fast={"q":"speed>50","snapshot":true,"attributes":["speed"],"representation":"keyValues"}"#;
    let mut listener = start(&["listen", "demo", "--url", &url, "--subscription", named, "--output", "json"]);
    let printed: Value = serde_json::from_str(&listener.line().await).unwrap();
    assert_eq!((&printed["type"], &printed["entityId"]), (&json!("entitySnapshot"), &json!("urn:2")));
    assert_eq!((&printed["subscriptions"], &printed["data"]), (&json!(["fast"]), &json!({ "speed": 80 })));
}

#[tokio::test]
async fn whole_entities_and_former_values_are_printed() {
    let system = system().await;
    publish(&system, "entityCreated", "urn:1", json!({ "speed": 60, "fuel": 7 })).await;
    let mut listener = listen(&system, "demo", &["--whole", "--changes", "--count", "1"]).await;
    publish(&system, "entityUpdated", "urn:1", json!({ "speed": 70 })).await;
    let line = listener.line().await;
    assert_eq!(without_time(&line).replace('*', ""), "updated Vehicle urn:1 fuel=7 speed=70 (was 60)");
    assert_eq!(listener.exit().await.code(), Some(0));
}

#[tokio::test]
async fn without_a_terminal_each_change_of_the_entities_is_a_line() {
    let system = system().await;
    publish(&system, "entityCreated", "urn:1", json!({ "speed": 60, "fuel": 7 })).await;
    let url = system.websocket_url();
    let mut watcher = start(&["listen", "demo", "--url", &url, "--q", "speed>50", "--entities"]);
    assert_eq!(without_time(&watcher.line().await), "added Vehicle urn:1 fuel=7 speed=60");
    let said = watcher.says("listening to demo at ").await;
    assert!(said.ends_with("; 1 entity matches; press Ctrl-C to stop"), "{said}");
    publish(&system, "entityCreated", "urn:2", json!({ "speed": 90 })).await;
    assert_eq!(without_time(&watcher.line().await), "added Vehicle urn:2 speed=90");
    publish(&system, "entityUpdated", "urn:1", json!({ "speed": 61 })).await;
    assert_eq!(without_time(&watcher.line().await), "updated Vehicle urn:1 speed=61 (was 60)");
    publish(&system, "entityUpdated", "urn:1", json!({ "speed": 1 })).await;
    assert_eq!(without_time(&watcher.line().await), "removed Vehicle urn:1");
    publish(&system, "entityDeleted", "urn:2", json!({})).await;
    assert_eq!(without_time(&watcher.line().await), "removed Vehicle urn:2");
    watcher.signal("TERM").await;
    assert_eq!(watcher.exit().await.code(), Some(0));
}

#[tokio::test]
async fn a_watcher_comes_back_and_a_service_without_entity_state_refuses_it() {
    let server = WebSocketServer::start().await;
    let mut watcher = start(&["listen", "demo", "--url", &server.url, "--id", "urn:1", "--entities"]);
    let mut client = server.accept().await;
    let subscribe = client.message().await;
    let id = &subscribe["requestId"];
    let expected = json!({ "action": "subscribe", "entityIds": ["urn:1"], "wholeEntity": true, "snapshot": true, "requestId": id });
    assert_eq!(subscribe, expected);
    client.send(&json!({ "type": "subscribed", "snapshot": 0, "requestId": id }).to_string()).await;
    watcher.says("; 0 entities match; press").await;
    client.close(1001, "Going away").await;
    watcher.says("no connection to ").await;
    let mut client = server.accept().await;
    let id = client.message().await["requestId"].clone();
    client.send(&json!({ "type": "subscribed", "snapshot": 0, "requestId": id }).to_string()).await;
    watcher.says("connected again; 0 entities match").await;
    client.close(1001, "Going away").await;
    let mut client = server.accept().await;
    let id = client.message().await["requestId"].clone();
    let refusal =
        json!({ "type": "error", "code": "not_available", "message": "snapshot needs entity state", "requestId": id });
    client.send(&refusal.to_string()).await;
    watcher
        .says("--entities, --snapshot, --whole and --changes need entity state, which this service does not keep")
        .await;
    assert_eq!(watcher.exit().await.code(), Some(1));
}
