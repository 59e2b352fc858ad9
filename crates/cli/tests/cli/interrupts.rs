//! Commands that clean up when they are interrupted.

use std::time::Duration;

use serde_json::json;
use tokio::time::timeout;

use crate::harness::{PATIENCE, start};
use crate::server::{EventBus, WebSocketServer};

#[tokio::test]
async fn an_interrupted_doctor_deletes_its_entity() {
    let (server, bus) = (WebSocketServer::start().await, EventBus::start(|_| None).await);
    let mut doctor = start(&["doctor", "demo", "--url", &server.url, "--endpoint-url", &bus.url]);
    let mut stream = server.accept().await;
    stream.subscribed().await;
    let ping = stream.message().await;
    stream.send(&json!({ "type": "pong", "requestId": ping["requestId"] }).to_string()).await;
    doctor.prints("accepted a change").await;
    let event = json!({ "type": "entityDeleted", "id": "6f1c2a34-5b6d-4e7f-8a90-b1c2d3e4f506", "tenant": "demo",
        "servicePath": "/", "entityId": "urn:1", "entityType": "Room", "data": {}, "timestamp": "2026-01-02T03:04:05Z" });
    stream.send(&event.to_string()).await;
    doctor.prints("the server keeps no history").await;
    let mut second = server.accept().await;
    second.subscribed().await;
    let is_published = |kind: &str| {
        let requests = bus.requests.lock().unwrap();
        requests.iter().flatten().any(|detail| {
            detail["type"] == kind && detail["entityId"].as_str().is_some_and(|entity| entity.ends_with(":state"))
        })
    };
    let created = async {
        while !is_published("entityCreated") {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, created).await.expect("the entity is created");
    doctor.signal("INT").await;
    doctor.says("error: interrupted before the last check").await;
    assert_eq!(doctor.exit().await.code(), Some(1));
    assert!(is_published("entityDeleted"), "the entity is deleted");
}
