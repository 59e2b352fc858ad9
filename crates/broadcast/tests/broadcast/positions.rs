//! The place of each event in the history, which is written before anything else happens.

use entity_stream_connections::HashRange;
use serde_json::json;

use crate::support::{Kept, Setting, Step, event, text};

/// The index of the first step of a kind.
fn first(steps: &[Step], is: impl Fn(&Step) -> bool) -> usize {
    steps.iter().position(is).unwrap_or_else(|| panic!("{steps:?}"))
}

#[tokio::test]
async fn is_in_the_history_before_the_audience_is_read_and_in_each_message() {
    let setting = Setting::new().await;
    for name in ["alice", "bob"] {
        setting.register(name).await;
    }

    let summary = setting.invoke(&event("e1")).await.unwrap();

    assert_eq!(summary.delivered, 2);
    let steps = setting.steps();
    let Step::Write(written) = &steps[0] else { panic!("{steps:?}") };
    let [(id, position)] = &written[..] else { panic!("{written:?}") };
    assert_eq!(id, "e1");
    assert!(first(&steps, |step| *step == Step::Read) < first(&steps, |step| matches!(step, Step::Post(_))));
    let messages = setting.messages();
    assert_eq!(messages.len(), 2);
    for message in &messages {
        assert_eq!(text(&message["position"]), *position);
        assert_eq!(message.get("replayed"), None);
    }
    assert_eq!(setting.recorded().await, *written);
    let at = entity_stream_protocol::Position::parse(position.as_str()).unwrap().time().unwrap();
    assert_eq!(at, setting.now());
}

/// A client that comes back compares positions as text.
#[tokio::test]
async fn is_later_for_a_later_event_and_differs_for_events_of_one_invocation() {
    let setting = Setting::new().await;
    let mut positions = Vec::new();
    for second in 0..3 {
        let payload: Vec<_> = (0..3).map(|i| event(&format!("e{second}{i}"))).collect();
        setting.invoke(&json!(payload)).await.unwrap();
        let recorded = setting.recorded().await;
        let last = recorded.iter().rev().take(3).map(|(_, position)| position.clone()).collect::<Vec<_>>();
        assert!(positions.iter().all(|earlier| last.iter().all(|later| earlier < later)));
        positions.extend(last);
        setting.hands.forward(1);
    }
    positions.sort();
    positions.dedup();
    assert_eq!(positions.len(), 9);
}

#[tokio::test]
async fn is_also_written_if_no_connection_wants_the_event() {
    let setting = Setting::new().await;
    let summary = setting.invoke(&event("e1")).await.unwrap();
    assert_eq!(summary.matched, 0);
    assert_eq!(setting.recorded().await.len(), 1);
}

#[tokio::test]
async fn is_written_in_batches_for_the_events_of_an_array() {
    let setting = Setting::new().await;
    setting.register("alice").await;
    let payload: Vec<_> = (0..60).map(|i| event(&format!("e{i}"))).collect();

    let summary = setting.invoke(&json!(payload)).await.unwrap();

    assert_eq!(summary.delivered, 60);
    let steps = setting.steps();
    let writes: Vec<_> = steps.iter().take_while(|step| **step != Step::Read).collect();
    let sizes: Vec<_> = writes.iter().map(|step| if let Step::Write(items) = step { items.len() } else { 0 }).collect();
    assert_eq!(sizes.iter().sum::<usize>(), 60, "all are written before the audience is read: {sizes:?}");
    assert!(sizes.len() == 3 && sizes.iter().all(|size| *size <= 25), "{sizes:?}");
    let recorded: std::collections::BTreeMap<_, _> = setting.recorded().await.into_iter().collect();
    for message in setting.messages() {
        assert_eq!(recorded[&text(&message["id"])], text(&message["position"]));
    }
}

/// An invocation for the rest of an audience is an attempt of its own.
#[tokio::test]
async fn is_another_one_for_a_continuation() {
    let setting = Setting::new().await;
    setting.register("alice").await;
    let published = event("e1");
    setting.invoke(&published).await.unwrap();
    setting.hands.forward(30);
    let mut continuation = event("e2");
    continuation["detail-type"] = json!("EntityStreamContinuation");
    continuation["source"] = json!("entity-stream");
    continuation["detail"] =
        json!({ "type": "entityUpdated", "event": published, "ranges": [HashRange::ALL], "depth": 1 });

    let summary = setting.invoke(&continuation).await.unwrap();

    assert_eq!(summary.delivered, 1, "{summary:?}");
    let [first, second] = &setting.messages()[..] else { panic!("{:?}", setting.messages()) };
    assert_eq!((text(&first["id"]), text(&second["id"])), ("e1".to_owned(), "e1".to_owned()));
    assert!(text(&first["position"]) < text(&second["position"]));
    // A resume gets the event once, at its last position.
    assert_eq!(setting.recorded().await, [("e1".to_owned(), text(&second["position"]))]);
}

#[tokio::test]
async fn of_an_event_that_was_delivered_already_is_not_written_again() {
    let setting = Setting::new().await;
    setting.register("alice").await;
    setting.invoke(&event("e1")).await.unwrap();
    let steps = setting.steps().len();
    let summary = setting.invoke(&event("e1")).await.unwrap();
    assert_eq!((summary.duplicates, summary.delivered), (1, 0));
    assert_eq!(setting.steps().len(), steps);
}

#[tokio::test]
async fn is_not_there_without_a_history() {
    let setting = Setting::with(Kept::Nothing, entity_stream_testing::Hands::default(), |_| None).await;
    setting.register("alice").await;

    let summary = setting.invoke(&json!([event("e1"), event("e2")])).await.unwrap();

    assert_eq!(summary.delivered, 2);
    assert!(setting.messages().iter().all(|message| message.get("position").is_none()));
    assert!(setting.steps().iter().all(|step| !matches!(step, Step::Write(_))));
}

/// API Gateway carries 128 KB, so such an event is delivered truncated anyway.
#[tokio::test]
async fn is_that_of_an_event_without_data_if_it_has_more_than_128_kilobytes() {
    let setting = Setting::new().await;
    setting.register("alice").await;
    let large = |id: &str, bytes: usize| {
        let mut event = event(id);
        event["detail"]["data"] = json!({ "a": "x".repeat(bytes) });
        event
    };
    for event in [large("small", 120 * 1024), large("large", 200 * 1024)] {
        setting.invoke(&event).await.unwrap();
        setting.hands.forward(1);
    }

    let [small, large] = &setting.past().await[..] else { panic!("two events") };
    assert_eq!(small["data"]["a"].as_str().map(str::len), Some(120 * 1024));
    assert_eq!(small.get("truncated"), None);
    let data_bytes = json!({ "a": "x".repeat(200 * 1024) }).to_string().len();
    let live = &setting.messages()[1];
    for message in [large, live] {
        assert_eq!((&message["id"], &message["data"]), (&json!("large"), &json!({})));
        assert_eq!((&message["truncated"], &message["dataBytes"]), (&json!(true), &json!(data_bytes)));
    }
    assert_eq!(large["changedAttributes"], live["changedAttributes"]);
}

/// Clients that come back are told nothing about the time before the epoch.
#[tokio::test]
async fn begins_the_epoch_five_minutes_later() {
    let setting = Setting::new().await;
    assert!(setting.history().epoch().await.unwrap().is_none());
    let began = setting.now();
    setting.invoke(&event("e1")).await.unwrap();
    let epoch = setting.history().epoch().await.unwrap().unwrap();
    assert_eq!(epoch.since, began.plus(std::time::Duration::from_secs(300)));
    setting.hands.forward(600);
    setting.invoke(&event("e2")).await.unwrap();
    assert_eq!(setting.history().epoch().await.unwrap(), Some(epoch), "it goes on");
}
