//! An outage of entity state stops no live event. The event fails, so that Lambda repeats it and it gets its version.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use entity_stream_connections::Connection;
use entity_stream_protocol::{Filter, FilterFields, Subscription, View};
use entity_stream_testing::{Asked, Hands, Reply};
use serde_json::json;
use tokio::sync::{Notify, Semaphore};

use crate::support::{Kept, Setting, dynamodb, event, is_history_write, is_post, is_state_write, refusal, text};

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

/// The history takes long to write the first event. Its entity is deleted meanwhile, and a client comes whose snapshot lacks it.
#[tokio::test]
async fn a_slow_attempt_shows_its_entity_as_it_is_now() {
    let (reached, written) = (Arc::new(Notify::new()), Arc::new(Semaphore::new(0)));
    let (reaches, permits) = (Arc::clone(&reached), Arc::clone(&written));
    let answer = move |asked: &Asked| {
        (is_history_write(asked) && String::from_utf8_lossy(&asked.body).contains("\"e1\"")).then(|| {
            reaches.notify_one();
            Reply::When(Arc::clone(&permits), Box::new(dynamodb()))
        })
    };
    let setting = Setting::with(Kept::All, Hands::default(), answer).await;
    let mut deletion = event("e2");
    deletion["detail"]["type"] = json!("entityDeleted");
    let meanwhile = async {
        reached.notified().await;
        setting.invoke(&deletion).await.unwrap();
        setting.hands.forward(1);
        let view = View::default().with_state(true, false);
        let whole = Subscription { view, ..Filter::default().into() };
        let hot = FilterFields { q: Some("temperature".to_owned()), ..FilterFields::default() }.check().unwrap();
        for (name, subscription) in [("whole", whole), ("hot", hot.into())] {
            let subscriptions = vec![subscription];
            setting.register_with(name, |connection| Connection { subscriptions, ..connection }).await;
        }
        written.add_permits(Semaphore::MAX_PERMITS / 2);
    };

    // On a slow machine, the history may have given up by now. The event is delivered all the same.
    let update = event("e1");
    let (_, ()) = tokio::join!(setting.invoke(&update), meanwhile);

    let mut messages = setting.messages();
    messages.sort_by_key(|message| text(&message["type"]));
    let shown: Vec<_> =
        messages.iter().map(|message| (&message["id"], &message["type"], message.get("data"))).collect();
    // The sample is old and may be repeated, so it leaves the subscription that its data matches.
    let (e1, nothing) = (json!("e1"), json!({}));
    let expected = [(&e1, &json!("entityDeleted"), Some(&nothing)), (&e1, &json!("entityLeft"), None)];
    assert_eq!(shown, expected);
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
