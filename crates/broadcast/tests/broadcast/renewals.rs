//! An attempt that lasts writes its events anew, so that a client that comes back finds the late events.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use entity_stream_testing::Hands;
use serde_json::json;

use crate::support::{Counts, Kept, Setting, Step, event, is_history_write, is_post, refusal, text};

/// Each delivery takes this many seconds of the clock. The history refuses the writes after the first `good` ones.
async fn slow(seconds: u64, good: usize) -> Setting {
    let hands = Hands::default();
    let (clock, writes) = (hands.clone(), Arc::new(AtomicUsize::new(0)));
    let answer = move |asked: &_| {
        if is_post(asked) {
            clock.forward(seconds);
        }
        (is_history_write(asked) && writes.fetch_add(1, Ordering::SeqCst) >= good).then(refusal)
    };
    let setting = Setting::with(Kept::All, hands, answer).await;
    for name in ["a", "b", "c", "d"] {
        setting.register(name).await;
    }
    setting
}

/// The kinds of the steps, without the reads.
fn kinds(setting: &Setting) -> String {
    let kind = |step: &Step| match step {
        Step::Write(_) => Some('W'),
        Step::Post(_) => Some('P'),
        Step::Read => None,
    };
    setting.steps().iter().filter_map(kind).collect()
}

/// A delivery may take two seconds, and an attempt ten.
#[tokio::test]
async fn come_before_the_next_delivery_after_eight_seconds() {
    for (seconds, expected) in [(1, "WPPPP"), (2, "WPPPP"), (3, "WPPPWP"), (5, "WPPWPP"), (9, "WPWPWPWP")] {
        let setting = slow(seconds, usize::MAX).await;

        let summary = setting.invoke(&event("e1")).await.unwrap();

        assert_eq!(summary.delivered, 4);
        assert_eq!(kinds(&setting), expected, "{seconds} seconds for each delivery");
        let written = setting.steps().into_iter().filter_map(|step| match step {
            Step::Write(events) => Some(events),
            _ => None,
        });
        let positions: Vec<_> = written.flatten().map(|(_, position)| position).collect();
        assert!(positions.is_sorted(), "{positions:?}");
        assert_eq!(setting.recorded().await, [("e1".to_owned(), positions.last().unwrap().clone())]);
    }
}

/// The deliveries go on, and the attempt fails: a client that comes back might not find the event.
#[tokio::test]
async fn that_fail_fail_the_event_and_stop_no_delivery() {
    let counts = Counts::default();
    let _recorder = metrics::set_default_local_recorder(&counts);
    let setting = slow(9, 1).await;

    let failure = setting.invoke(&event("e1")).await.unwrap_err();

    assert!(failure.to_string().contains("history"), "{failure}");
    assert_eq!(setting.messages().len(), 4);
    assert_eq!(kinds(&setting), "WPWPPP", "without a position there is nothing to renew");
    assert_eq!(counts.not_recorded(), 1);
}

/// All events of a batch have one audience, and are delivered together.
#[tokio::test]
async fn concern_all_events_of_a_batch() {
    let setting = slow(5, usize::MAX).await;
    setting.invoke(&json!([event("e1"), event("e2")])).await.unwrap();
    let writes: Vec<Vec<String>> = setting
        .steps()
        .into_iter()
        .filter_map(|step| match step {
            Step::Write(events) => Some(events.into_iter().map(|(id, _)| id).collect()),
            _ => None,
        })
        .collect();
    assert!(writes.len() > 2 && writes.iter().all(|ids| *ids == ["e1", "e2"]), "{writes:?}");
    assert_eq!(setting.recorded().await.len(), 2);
}

/// A connection keeps the greatest position that it saw, which may be one before the renewal.
#[tokio::test]
async fn leave_the_messages_as_they_are() {
    let setting = slow(9, usize::MAX).await;
    setting.invoke(&event("e1")).await.unwrap();
    let messages = setting.messages();
    assert!(messages.iter().all(|message| text(&message["position"]) == text(&messages[0]["position"])));
}
