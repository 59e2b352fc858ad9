//! The end of the doctor: at an interrupt, without an answer, and without a reader.

use serde_json::{Value, json};

use crate::harness::{run, start};
use crate::server::{Client, EventBus, WebSocketServer};

/// Lets the doctor go on to the first change.
async fn up_to_the_first_change(server: &WebSocketServer) -> Client {
    let mut stream = server.accept().await;
    stream.subscribed().await;
    let ping = stream.message().await;
    stream.send(&json!({ "type": "pong", "requestId": ping["requestId"] }).to_string()).await;
    stream
}

#[tokio::test]
async fn an_interrupted_doctor_deletes_its_entity() {
    let (server, bus) = (WebSocketServer::start().await, EventBus::start(|_| None).await);
    let mut doctor = start(&["doctor", "demo", "--url", &server.url, "--endpoint-url", &bus.url]);
    let mut stream = up_to_the_first_change(&server).await;
    doctor.prints("accepted a change").await;
    let event = json!({ "type": "entityDeleted", "id": "6f1c2a34-5b6d-4e7f-8a90-b1c2d3e4f506", "tenant": "demo",
        "servicePath": "/", "entityId": "urn:1", "entityType": "Room", "data": {}, "timestamp": "2026-01-02T03:04:05Z" });
    stream.send(&event.to_string()).await;
    doctor.prints("the server keeps no history").await;
    let mut second = server.accept().await;
    second.subscribed().await;
    let is_published = |requests: &[Vec<Value>], kind: &str| {
        requests.iter().flatten().any(|detail| {
            detail["type"] == kind && detail["entityId"].as_str().is_some_and(|entity| entity.ends_with(":state"))
        })
    };
    bus.until(|requests| is_published(requests, "entityCreated")).await;
    doctor.signal("INT").await;
    doctor.says("error: interrupted before the last check").await;
    assert_eq!(doctor.exit().await.code(), Some(1));
    assert!(is_published(&bus.requests.lock().unwrap(), "entityDeleted"), "the entity is deleted");
}

#[tokio::test]
async fn a_system_that_does_not_answer_does_not_hold_the_doctor() {
    let (server, bus) = (WebSocketServer::start().await, EventBus::start(|_| None).await);
    let args = ["doctor", "demo", "--url", &server.url, "--endpoint-url", &bus.url, "--timeout", "1s"];
    let (ended, stream) = tokio::join!(run(&args), async {
        let mut stream = up_to_the_first_change(&server).await;
        stream.closed().await
    });
    assert!(stream, "it closes the connection in order");
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stdout.contains("✗ delivery     the change did not arrive in 1 second"), "{ended:?}");
}

/// The exit code is the result of the checks.
#[tokio::test]
async fn a_reader_that_is_gone_does_not_hide_a_failure() {
    let mut doctor = start(&["doctor", "demo", "--url", "ws://127.0.0.1:9"]);
    doctor.close_stdout();
    doctor.says("error: 1 of 2 checks failed").await;
    assert_eq!(doctor.exit().await.code(), Some(1));
}
