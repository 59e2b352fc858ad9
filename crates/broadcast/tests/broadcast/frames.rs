//! Frames of several events, for connections that take them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use entity_stream_connections::Connection;
use entity_stream_testing::{Hands, Reply};
use serde_json::{Value, json};

use crate::support::{Kept, Setting, event, is_post, text};

fn ids(frame: &Value) -> Vec<String> {
    assert_eq!(frame["type"], "events", "{frame}");
    frame["events"].as_array().unwrap().iter().map(|message| text(&message["id"])).collect()
}

#[tokio::test]
async fn hold_the_events_of_one_invocation_with_their_positions() {
    let setting = Setting::new().await;
    setting.register_with("alice", |alice| Connection { takes_batches: true, ..alice }).await;

    let summary = setting.invoke(&json!([event("e1"), event("e2"), event("e3")])).await.unwrap();

    assert_eq!((summary.matched, summary.delivered), (3, 3));
    let [frame] = &setting.messages()[..] else { panic!("{:?}", setting.messages()) };
    assert_eq!(ids(frame), ["e1", "e2", "e3"]);
    let recorded: std::collections::BTreeMap<_, _> = setting.recorded().await.into_iter().collect();
    for message in frame["events"].as_array().unwrap() {
        assert_eq!(recorded[&text(&message["id"])], text(&message["position"]));
    }
}

#[tokio::test]
async fn are_for_those_that_ask() {
    let setting = Setting::new().await;
    setting.register("bob").await;
    setting.invoke(&json!([event("e1"), event("e2")])).await.unwrap();
    let messages = setting.messages();
    assert_eq!(messages.iter().map(|message| text(&message["id"])).collect::<Vec<_>>(), ["e1", "e2"]);
}

#[tokio::test]
async fn are_not_made_for_a_single_event() {
    let setting = Setting::new().await;
    setting.register_with("alice", |alice| Connection { takes_batches: true, ..alice }).await;
    setting.invoke(&event("e1")).await.unwrap();
    assert_eq!(text(&setting.messages()[0]["id"]), "e1");
}

/// API Gateway bills a message for each 32 KB.
#[tokio::test]
async fn have_at_most_32_kilobytes_and_keep_the_order() {
    let setting = Setting::new().await;
    setting.register_with("alice", |alice| Connection { takes_batches: true, ..alice }).await;
    let payload: Vec<_> = (0..12)
        .map(|i| {
            let mut event = event(&format!("e{i}"));
            let bytes = if i == 5 { 60_000 } else { 10_000 };
            event["detail"]["data"] = json!({ "a": "x".repeat(bytes) });
            event
        })
        .collect();

    let summary = setting.invoke(&json!(payload)).await.unwrap();

    assert_eq!(summary.delivered, 12);
    let mut all = Vec::new();
    for frame in setting.messages() {
        if frame["type"] == "events" {
            assert!(frame.to_string().len() <= 32 * 1024);
            all.extend(ids(&frame));
        } else {
            all.push(text(&frame["id"]));
        }
    }
    assert_eq!(all, (0..12).map(|i| format!("e{i}")).collect::<Vec<_>>());
    assert_eq!(setting.messages().len(), 5, "2 + 3, the large one alone, 3 + 3");
}

#[tokio::test]
async fn that_are_refused_come_again_and_no_others() {
    let posts = Arc::new(AtomicUsize::new(0));
    let second = move |asked: &_| is_post(asked) && posts.fetch_add(1, Ordering::SeqCst) == 1;
    let answer = move |asked: &_| second(asked).then(|| Reply::status(500));
    let setting = Setting::with(Kept::All, Hands::default(), answer).await;
    setting.register_with("alice", |alice| Connection { takes_batches: true, ..alice }).await;
    let payload: Vec<_> = (0..9)
        .map(|i| {
            let mut event = event(&format!("e{i}"));
            event["detail"]["data"] = json!({ "a": "x".repeat(10_000) });
            event
        })
        .collect();

    let summary = setting.invoke(&json!(payload)).await.unwrap();

    assert_eq!((summary.delivered, summary.failed), (9, 0));
    let frames: Vec<_> = setting.messages().iter().map(ids).collect();
    let [first, refused, again, last] = &frames[..] else { panic!("{frames:?}") };
    assert_eq!(refused, again);
    assert_eq!([&first[..], again, last].concat(), (0..9).map(|i| format!("e{i}")).collect::<Vec<_>>());
}
