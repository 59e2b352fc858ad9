//! An outage of entity state stops no live event. The event fails, so that Lambda repeats it and it gets its version.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use entity_stream_testing::{Hands, Reply};
use serde_json::json;

use crate::support::{Kept, Setting, event, is_history_write, is_post, is_state_write, refusal};

async fn is_delivered_without_a_version_and_repeated(reply: impl Fn() -> Reply + Send + Sync + 'static) {
    let works = Arc::new(AtomicBool::new(false));
    let answered = Arc::clone(&works);
    let answer = move |asked: &_| (!answered.load(Ordering::SeqCst) && is_state_write(asked)).then(&reply);
    let setting = Setting::with(Kept::All, Hands::default(), answer).await;
    setting.register("alice").await;

    let failure = setting.invoke(&event("e1")).await.unwrap_err();

    assert!(failure.to_string().contains("state of the entity"), "{failure}");
    let [message] = &setting.messages()[..] else { panic!("{:?}", setting.messages()) };
    assert_eq!((&message["state"], message.get("version")), (&json!("unavailable"), None), "{message}");
    assert!(message["position"].is_string(), "the history has the event: {message}");

    works.store(true, Ordering::SeqCst);
    let summary = setting.invoke(&event("e1")).await.unwrap();
    assert_eq!((summary.delivered, summary.duplicates), (1, 0));
    let message = &setting.messages()[1];
    assert!(message["version"].is_u64() && message.get("state").is_none(), "{message}");
}

#[tokio::test]
async fn a_table_that_refuses() {
    is_delivered_without_a_version_and_repeated(refusal).await;
}

#[tokio::test]
async fn a_table_that_answers_too_late() {
    is_delivered_without_a_version_and_repeated(|| Reply::After(Duration::from_secs(4), Box::new(refusal()))).await;
}

#[tokio::test]
async fn a_table_that_never_answers() {
    is_delivered_without_a_version_and_repeated(|| Reply::Never).await;
}

/// Events of other types have another audience. The first two and the third were merged at the same time once.
#[tokio::test]
async fn the_changes_of_an_entity_in_an_array_are_merged_in_its_order_whatever_its_types_are() {
    let setting = Setting::new().await;
    setting.register("alice").await;
    let with_type = |id: &str, entity_type: &str| {
        let mut event = event(id);
        event["detail"]["entityType"] = json!(entity_type);
        event["detail"]["data"] = json!({ "last": id });
        event["detail"].as_object_mut().unwrap().remove("timestamp");
        event
    };
    let events = [("e1", "Room"), ("e2", "Room"), ("e3", "Hall"), ("e4", "Hall"), ("e5", "Room")];
    let events: Vec<_> = events.iter().map(|(id, entity_type)| with_type(id, entity_type)).collect();

    let summary = setting.invoke(&json!(events)).await.unwrap();

    assert_eq!(summary.delivered, 5);
    let mut versions: Vec<_> = setting
        .messages()
        .iter()
        .map(|message| {
            assert!(message.get("late").is_none(), "{message}");
            (message["version"].as_u64().unwrap(), message["id"].clone())
        })
        .collect();
    versions.sort_by_key(|(version, _)| *version);
    let ids: Vec<_> = versions.into_iter().map(|(_, id)| id).collect();
    assert_eq!(ids, ["e1", "e2", "e3", "e4", "e5"]);
}

/// State, then history, then the deliveries.
#[tokio::test]
async fn the_state_is_written_before_the_history_and_the_history_before_the_first_delivery() {
    let setting = Setting::new().await;
    setting.register("alice").await;
    for id in ["e1", "e2"] {
        setting.invoke(&event(id)).await.unwrap();
    }
    let asked = setting.world.asked();
    let places = |is_wanted: fn(&entity_stream_testing::Asked) -> bool| {
        asked.iter().enumerate().filter(|(_, asked)| is_wanted(asked)).map(|(place, _)| place).collect::<Vec<_>>()
    };
    let (states, histories, posts) = (places(is_state_write), places(is_history_write), places(is_post));
    assert_eq!(posts.len(), 2);
    let first = posts[0];
    let last_state = states.iter().filter(|place| **place < first).max().unwrap();
    let history = histories.iter().filter(|place| **place < first).min().unwrap();
    assert!(last_state < history && *history < first, "{states:?} {histories:?} {posts:?}");
}
