//! Entities change again between the merge of an event and its delivery. Views of the whole entity show it as it is now, and other views
//! show each event.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use entity_stream_connections::Connection;
use entity_stream_protocol::{Filter, FilterFields, Subscription, View};
use entity_stream_testing::{Asked, Hands, Reply};
use serde_json::{Value, json};
use tokio::sync::{Notify, Semaphore};

use crate::support::{
    Kept, Setting, dynamodb, event, is_history_write, is_post, is_state_write, operation, refusal, text,
};

/// The history does not write the first event before the test lets it.
struct SlowAttempt {
    setting: Setting,
    is_reached: Arc<Notify>,
    permits: Arc<Semaphore>,
}

impl SlowAttempt {
    /// The time passes while the function makes this request for the first event.
    async fn new(slow: fn(&Asked) -> bool) -> Self {
        let (is_reached, permits, hands) = (Arc::new(Notify::new()), Arc::new(Semaphore::new(0)), Hands::default());
        let (reaches, permitted, moved) = (Arc::clone(&is_reached), Arc::clone(&permits), hands.clone());
        let answer = move |asked: &Asked| {
            let is_first = String::from_utf8_lossy(&asked.body).contains("\"first\"");
            if is_first && slow(asked) {
                moved.forward(1);
            }
            (is_first && is_history_write(asked)).then(|| {
                reaches.notify_one();
                Reply::When(Arc::clone(&permitted), Box::new(dynamodb()))
            })
        };
        Self { setting: Setting::with(Kept::All, hands, answer).await, is_reached, permits }
    }

    async fn subscribe(&self, name: &str, q: Option<&str>, is_whole: bool) {
        let filter = match q {
            Some(q) => FilterFields { q: Some(q.to_owned()), ..FilterFields::default() }.check().unwrap(),
            None => Filter::default(),
        };
        let subscription = Subscription { view: View::default().with_state(is_whole, false), ..filter.into() };
        let subscriptions = vec![subscription];
        self.setting.register_with(name, |connection| Connection { subscriptions, ..connection }).await;
    }

    /// Serves the first event, and meanwhile the second one. `last` comes before the first one is delivered.
    ///
    /// On a slow machine, the history may have given up by then. The event is delivered all the same.
    async fn serve(&self, [first, second]: [&Value; 2], last: impl Future<Output = ()>) {
        let meanwhile = async {
            self.is_reached.notified().await;
            self.setting.invoke(second).await.unwrap();
            last.await;
            self.permits.add_permits(Semaphore::MAX_PERMITS / 2);
        };
        let (_, ()) = tokio::join!(self.setting.invoke(first), meanwhile);
    }

    /// The kind and the data of the messages with an event, in the order of their connections.
    fn shown(&self, id: &str) -> Vec<(String, Value)> {
        let asked = self.setting.world.asked();
        let posts = asked.iter().filter(|asked| is_post(asked));
        let mut shown: Vec<_> = posts
            .map(|asked| (asked.path.clone(), serde_json::from_slice::<Value>(&asked.body).unwrap()))
            .filter(|(_, message)| message["id"] == id)
            .collect();
        shown.sort_by(|(path, _), (other, _)| path.cmp(other));
        shown.into_iter().map(|(_, message)| (text(&message["type"]), message["data"].clone())).collect()
    }
}

fn shown(event_type: &str, data: Value) -> (String, Value) {
    (event_type.to_owned(), data)
}

fn with_data(id: &str, data: Value) -> Value {
    let mut event = event(id);
    event["detail"]["data"] = data;
    event
}

/// The entity is deleted meanwhile, and clients come whose snapshots lack it.
async fn shows_a_mirror_that_its_entity_is_gone(slow: fn(&Asked) -> bool) {
    let attempt = SlowAttempt::new(slow).await;
    let update = with_data("first", json!({ "alarm": true }));
    let mut deletion = event("second");
    deletion["detail"]["type"] = json!("entityDeleted");
    let clients_come = async {
        attempt.subscribe("all", None, true).await;
        attempt.subscribe("alarms", Some("alarm==true"), true).await;
    };

    attempt.serve([&update, &deletion], clients_come).await;

    // The sample is old and may be repeated, so it leaves the subscription that its data matches.
    assert_eq!(attempt.shown("first"), [shown("entityLeft", Value::Null), shown("entityDeleted", json!({}))]);
}

#[tokio::test]
async fn a_mirror_is_shown_the_present_entity_if_the_history_is_slow() {
    shows_a_mirror_that_its_entity_is_gone(is_history_write).await;
}

#[tokio::test]
async fn a_mirror_is_shown_the_present_entity_if_the_merge_is_slow() {
    shows_a_mirror_that_its_entity_is_gone(is_state_write).await;
}

/// The alarm is over before its event is delivered.
#[tokio::test]
async fn a_view_of_the_changes_misses_no_event_that_matches_its_query() {
    let attempt = SlowAttempt::new(is_history_write).await;
    attempt.subscribe("changes", Some("alarm==true"), false).await;
    attempt.subscribe("mirror", Some("alarm==true"), true).await;
    let [alarm, end] = [("first", true), ("second", false)].map(|(id, alarm)| with_data(id, json!({ "alarm": alarm })));

    attempt.serve([&alarm, &end], async {}).await;

    assert_eq!(attempt.shown("second"), [shown("entityLeft", Value::Null), shown("entityLeft", Value::Null)]);
    let changed = shown("entityUpdated", json!({ "alarm": true }));
    assert_eq!(attempt.shown("first"), [changed, shown("entityLeft", Value::Null)]);
}

/// The history refuses the event, so Lambda repeats it. The alarm is over then.
#[tokio::test]
async fn a_repeated_event_is_judged_by_the_entity_after_it() {
    let works = Arc::new(AtomicBool::new(false));
    let answered = Arc::clone(&works);
    let answer = move |asked: &Asked| (!answered.load(Ordering::SeqCst) && is_history_write(asked)).then(refusal);
    let setting = Setting::with(Kept::All, Hands::default(), answer).await;
    let attempt = SlowAttempt { setting, is_reached: Arc::default(), permits: Arc::new(Semaphore::new(0)) };
    attempt.subscribe("changes", Some("alarm==true"), false).await;
    attempt.subscribe("mirror", Some("alarm==true"), true).await;
    let events = [("first", true), ("second", false), ("third", false)];
    let [alarm, end, rest] = events.map(|(id, alarm)| with_data(id, json!({ "alarm": alarm })));

    attempt.setting.invoke(&alarm).await.unwrap_err();
    works.store(true, Ordering::SeqCst);
    attempt.setting.invoke(&json!([end, rest])).await.unwrap();
    attempt.setting.invoke(&alarm).await.unwrap();

    let changed = || shown("entityUpdated", json!({ "alarm": true }));
    let left = shown("entityLeft", Value::Null);
    assert_eq!(attempt.shown("first"), [changed(), changed(), changed(), left]);
}

/// Serves three events of two entities slowly. Returns the reads of entities after the merge.
async fn serve_three(reply: fn() -> Option<Reply>) -> Vec<Asked> {
    let hands = Hands::default();
    let moved = hands.clone();
    let answer = move |asked: &Asked| match operation(asked) {
        _ if is_history_write(asked) => {
            moved.forward(1);
            None
        }
        Some("BatchGetItem") => reply(),
        _ => None,
    };
    let setting = Setting::with(Kept::All, hands, answer).await;
    setting.register("alice").await;
    let mut events = ["e1", "e2", "e3"].map(event);
    events[2]["detail"]["entityId"] = json!("another");

    let summary = setting.invoke(&json!(events)).await.unwrap();

    assert_eq!(summary.delivered, 3);
    let asked = setting.world.asked();
    let is_read = |asked: &Asked| {
        let body = String::from_utf8_lossy(&asked.body);
        matches!(operation(asked), Some("GetItem" | "BatchGetItem")) && body.contains("\"S#")
    };
    asked.into_iter().skip_while(|asked| !is_history_write(asked)).filter(is_read).collect()
}

#[tokio::test]
async fn the_entities_of_a_slow_attempt_are_read_together_and_each_once() {
    let reads = serve_three(|| None).await;
    let [read] = &reads[..] else { panic!("{reads:?}") };
    let body: Value = serde_json::from_slice(&read.body).unwrap();
    let tables = body["RequestItems"].as_object().unwrap();
    let keys: Vec<_> = tables.values().flat_map(|table| table["Keys"].as_array().unwrap()).collect();
    assert_eq!(keys.len(), 2, "{body}");
}

#[tokio::test]
async fn events_whose_entities_cannot_be_read_again_are_delivered() {
    serve_three(|| Some(Reply::Never)).await;
    serve_three(|| Some(refusal())).await;
}
