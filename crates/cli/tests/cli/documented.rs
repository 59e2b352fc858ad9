//! The Rust example of `docs/publishing.md`, which is a part of this file, and the event of `README.md`.

use aws_sdk_eventbridge::Client;
use entity_stream_local::aws_config;
use serde_json::{Value, json};

use crate::harness::{listen, run, system};

/// Publishes one change.
async fn publish(client: &aws_sdk_eventbridge::Client, detail: &serde_json::Value) -> Result<String, String> {
    let entry = aws_sdk_eventbridge::types::PutEventsRequestEntry::builder()
        .source("my.broker")
        .detail_type("entity.changed")
        .detail(detail.to_string())
        .build();
    let output = client.put_events().entries(entry).send().await.map_err(|error| format!("{error:?}"))?;
    match output.entries() {
        [result] => result.event_id().map(str::to_owned).ok_or_else(|| format!("not published: {result:?}")),
        other => Err(format!("one entry was sent, {} came back", other.len())),
    }
}

#[test]
fn the_page_shows_the_function_that_is_tested() {
    let page = include_str!("../../../../docs/publishing.md");
    let shown = page.split("```rust\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    assert!(include_str!("documented.rs").contains(shown), "the Rust example and this file differ");
}

#[tokio::test]
async fn the_function_publishes() {
    let system = system().await;
    let mut listener = listen(&system, "demo", &["--output", "json", "--count", "1"]).await;
    let client = Client::new(&aws_config(&system.http_url()));
    let detail = json!({ "type": "entityDeleted", "tenant": "demo", "entityId": "urn:1", "entityType": "Room" });
    let id = publish(&client, &detail).await.unwrap();
    let event: Value = serde_json::from_str(&listener.line().await).unwrap();
    assert_eq!(event["id"], id);
    assert!(publish(&client, &json!("no object")).await.unwrap_err().contains("MalformedDetail"));
}

#[tokio::test]
async fn the_readme_shows_the_event_that_arrives() {
    let readme = include_str!("../../../../README.md");
    let (_, rest) = readme.split_once("The client receives:\n\n```json\n").unwrap();
    let mut shown: Value = serde_json::from_str(rest.split("```").next().unwrap()).unwrap();
    let system = system().await;
    let mut listener = listen(&system, "demo", &["--output", "json", "--count", "1"]).await;
    let (data, url) = (shown["data"].to_string(), system.http_url());
    let entity = ["publish", "demo", "--type", "entityUpdated", "--entity-type", "Room"];
    let change = ["--entity-id", "urn:ngsi-ld:Room:001", "--data", &data, "--changed-attribute", "temperature"];
    let ended = run(&[&entity[..], &change, &["--endpoint-url", &url]].concat()).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let mut event: Value = serde_json::from_str(&listener.line().await).unwrap();
    for name in ["id", "timestamp", "position", "version"] {
        let [shown, received] = [&mut shown, &mut event].map(|object| object[name].take());
        assert_eq!((shown.is_string(), shown.is_u64()), (received.is_string(), received.is_u64()), "{name}");
    }
    assert_eq!(shown, event);
}
