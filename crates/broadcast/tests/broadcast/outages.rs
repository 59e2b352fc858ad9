//! An outage of the history stops no live event. The event fails, so that Lambda repeats it and it gets its position.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use entity_stream_testing::{Hands, Reply};
use serde_json::json;

use crate::support::{Counts, Kept, Setting, dynamodb, event, is_history_write, refusal, text};

/// A history that does not work until the test says so.
async fn without_history(reply: impl Fn() -> Reply + Send + Sync + 'static) -> (Setting, Arc<AtomicBool>) {
    let works = Arc::new(AtomicBool::new(false));
    let answered = Arc::clone(&works);
    let answer = move |asked: &_| (!answered.load(Ordering::SeqCst) && is_history_write(asked)).then(&reply);
    (Setting::with(Kept::All, Hands::default(), answer).await, works)
}

async fn is_delivered_without_a_position_and_repeated(reply: impl Fn() -> Reply + Send + Sync + 'static) {
    let counts = Counts::default();
    let _recorder = metrics::set_default_local_recorder(&counts);
    let (setting, works) = without_history(reply).await;
    setting.register("alice").await;

    let failure = setting.invoke(&event("e1")).await.unwrap_err();

    assert!(failure.to_string().contains("history"), "{failure}");
    assert_eq!(counts.not_recorded(), 1);
    let [message] = &setting.messages()[..] else { panic!("{:?}", setting.messages()) };
    assert_eq!((&message["id"], message.get("position")), (&json!("e1"), None));

    works.store(true, Ordering::SeqCst);
    let summary = setting.invoke(&event("e1")).await.unwrap();
    assert_eq!((summary.delivered, summary.duplicates), (1, 0), "an event that failed is not known");
    assert_eq!(counts.not_recorded(), 1);
    let message = &setting.messages()[1];
    assert_eq!(setting.recorded().await, [("e1".to_owned(), text(&message["position"]))]);
}

#[tokio::test]
async fn a_history_that_refuses() {
    is_delivered_without_a_position_and_repeated(refusal).await;
}

#[tokio::test]
async fn a_history_that_answers_too_late() {
    is_delivered_without_a_position_and_repeated(|| Reply::After(Duration::from_secs(4), Box::new(refusal()))).await;
}

#[tokio::test]
async fn a_history_that_never_answers() {
    is_delivered_without_a_position_and_repeated(|| Reply::Never).await;
}

/// Each failed event is repeated, and those that succeeded are then known.
#[tokio::test]
async fn of_a_part_of_the_events_repeats_only_these() {
    let counts = Counts::default();
    let _recorder = metrics::set_default_local_recorder(&counts);
    let writes = Arc::new(AtomicUsize::new(0));
    let second = Arc::clone(&writes);
    let answer = move |asked: &_| (is_history_write(asked) && second.fetch_add(1, Ordering::SeqCst) == 1).then(refusal);
    let setting = Setting::with(Kept::All, Hands::default(), answer).await;
    setting.register("alice").await;
    let payload = json!((0..30).map(|i| event(&format!("e{i}"))).collect::<Vec<_>>());

    setting.invoke(&payload).await.unwrap_err();

    let messages = setting.messages();
    assert_eq!(messages.len(), 30, "all are delivered");
    let without = messages.iter().filter(|message| message.get("position").is_none()).count();
    assert!([5, 25].contains(&without), "one of two writes failed: {without}");
    assert_eq!(u64::try_from(without).unwrap(), counts.not_recorded());
    assert_eq!(setting.recorded().await.len(), 30 - without);

    let summary = setting.invoke(&payload).await.unwrap();
    assert_eq!((summary.delivered, summary.duplicates), (without, 30 - without));
    assert_eq!(setting.recorded().await.len(), 30);
}

/// Without an epoch, clients that come back are told that they may have missed events. The event itself is in the history.
#[tokio::test]
async fn of_the_epoch_fails_no_event() {
    let broken = Arc::new(AtomicBool::new(true));
    let is_broken = Arc::clone(&broken);
    let answer = move |asked: &entity_stream_testing::Asked| {
        let is_epoch = String::from_utf8_lossy(&asked.body).contains(r#""retention""#);
        (is_epoch && is_broken.load(Ordering::SeqCst)).then(refusal)
    };
    let setting = Setting::with(Kept::All, Hands::default(), answer).await;
    setting.register("alice").await;
    setting.invoke(&event("e1")).await.unwrap();
    assert!(setting.messages()[0].get("position").is_some());
    assert!(setting.history().epoch().await.unwrap().is_none());
    broken.store(false, Ordering::SeqCst);
    setting.invoke(&event("e2")).await.unwrap();
    assert!(setting.history().epoch().await.unwrap().is_some(), "the next event tries again");
}

/// The answer of DynamoDB is lost, and the item is there.
#[tokio::test]
async fn whose_item_was_written_all_the_same_leaves_one_event() {
    let (setting, works) = without_history(|| Reply::After(Duration::from_secs(3), Box::new(dynamodb()))).await;
    setting.register("alice").await;
    setting.invoke(&event("e1")).await.unwrap_err();
    works.store(true, Ordering::SeqCst);
    setting.hands.forward(60);
    setting.invoke(&event("e1")).await.unwrap();
    let position = text(&setting.messages()[1]["position"]);
    assert_eq!(setting.recorded().await, [("e1".to_owned(), position)]);
}

/// A later deployment could otherwise promise a time in which events were left out.
#[tokio::test]
async fn of_the_end_of_a_former_history_fails_the_events_that_are_in_none() {
    let broken = Arc::new(AtomicBool::new(true));
    let is_broken = Arc::clone(&broken);
    let answer = move |asked: &entity_stream_testing::Asked| {
        let is_epoch = String::from_utf8_lossy(&asked.body).contains(r#""retention""#);
        (is_epoch && is_broken.load(Ordering::SeqCst)).then(|| Reply::status(400))
    };
    let setting = Setting::with(Kept::States, Hands::default(), answer).await;
    setting.history().begin_epoch_at(setting.now()).await.unwrap();
    setting.register("alice").await;

    let failure = setting.invoke(&event("e1")).await.unwrap_err();

    assert!(failure.to_string().contains("epoch"), "{failure}");
    assert_eq!(setting.messages().len(), 1, "it is delivered all the same");
    broken.store(false, Ordering::SeqCst);
    assert_eq!(setting.invoke(&event("e1")).await.unwrap().delivered, 1, "the retry tries again");
    assert_eq!(setting.history().epoch().await.unwrap(), None);
}
