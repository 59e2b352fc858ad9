//! Replays of the bus, and the forms in which buses pass events.

use entity_stream_broadcast::Summary;
use serde_json::{Value, json};

use crate::support::{Setting, event, text};

fn with_metadata(data: &Value, delivery_type: &str) -> Value {
    json!({
        "Data": data,
        "Metadata": {},
        "SystemMetadata": { "aws:DeliveryType": delivery_type, "aws:EventId": "another" },
    })
}

fn of_archive(mut event: Value) -> Value {
    event["replay-name"] = json!("after-the-outage");
    event
}

#[tokio::test]
async fn are_neither_delivered_nor_written() {
    let setting = Setting::new().await;
    setting.register("alice").await;
    let text = json!(event("e3").to_string());
    let replays = [
        of_archive(event("e1")),
        with_metadata(&event("e2"), "REPLAY"),
        with_metadata(&text, "REPLAY"),
        with_metadata(&of_archive(event("e4")), "LIVE"),
    ];
    for replay in &replays {
        for payload in [replay.clone(), json!([replay])] {
            let summary = setting.invoke(&payload).await.unwrap();
            assert_eq!(summary, Summary { replays: 1, ..Summary::default() }, "{payload}");
        }
    }
    assert_eq!((setting.steps(), setting.past().await), (Vec::new(), Vec::new()));

    // A replay is no reason to take the event itself for a duplicate.
    let summary = setting.invoke(&event("e1")).await.unwrap();
    assert_eq!((summary.delivered, summary.duplicates), (1, 0));
}

#[tokio::test]
async fn beside_other_events_do_not_stop_these() {
    let setting = Setting::new().await;
    setting.register("alice").await;
    let payload = json!([of_archive(event("old")), event("e1"), with_metadata(&event("older"), "REPLAY"), { "id": 7 }]);

    let summary = setting.invoke(&payload).await.unwrap();

    assert_eq!((summary.delivered, summary.replays, summary.undeliverable), (1, 2, 1));
    let recorded = setting.recorded().await;
    assert_eq!(recorded.len(), 1);
    assert_eq!(recorded[0].0, "e1");
}

#[tokio::test]
async fn differ_from_events_of_every_form() {
    let setting = Setting::new().await;
    setting.register("alice").await;
    let as_text = json!(event("e3").to_string());
    let payload = json!([
        event("e1"),
        with_metadata(&event("e2"), "LIVE"),
        with_metadata(&as_text, "LIVE"),
        with_metadata(&event("e4"), "RETRY"),
    ]);

    let summary = setting.invoke(&payload).await.unwrap();

    assert_eq!((summary.delivered, summary.replays, summary.undeliverable), (4, 0, 0));
    let ids: Vec<_> = setting.messages().iter().map(|message| text(&message["id"])).collect();
    assert_eq!(ids, ["e1", "e2", "e3", "e4"]);
    let single = setting.invoke(&with_metadata(&event("e5"), "LIVE")).await.unwrap();
    assert_eq!(single.delivered, 1);
    let mut recorded: Vec<_> = setting.recorded().await.into_iter().map(|(id, _)| id).collect();
    recorded.sort();
    assert_eq!(recorded, ["e1", "e2", "e3", "e4", "e5"]);
}
