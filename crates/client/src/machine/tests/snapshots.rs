//! Subscriptions that begin with a snapshot.

use std::collections::BTreeSet;

use super::resuming::{answered, event_at, not_recovered, recovered};
use super::*;
use crate::snapshots::PAUSE;

fn entity(id: &str) -> String {
    let mut entity: serde_json::Value = serde_json::from_str(&event(&format!("snapshot-{id}"))).unwrap();
    (entity["type"], entity["entityId"], entity["version"]) = (json!("entitySnapshot"), json!(id), json!(1));
    entity.to_string()
}

fn part(request_id: &str, entities: u32, next: Option<&str>) -> String {
    let mut answer = json!({ "type": "snapshot", "snapshot": entities, "requestId": request_id });
    if let Some(next) = next {
        answer["snapshotNext"] = next.into();
    }
    answer.to_string()
}

fn first_part(position: &str, entities: u32, next: Option<&str>, verdict: &serde_json::Value) -> String {
    let mut answer: serde_json::Value = serde_json::from_str(&answered(position, "s", verdict)).unwrap();
    answer["snapshot"] = entities.into();
    if let Some(next) = next {
        answer["snapshotNext"] = next.into();
    }
    answer.to_string()
}

fn begins(names: &[&str]) -> Driven {
    let mut driven = Driven::with(names.iter().map(|name| named(name)).collect(), true);
    driven.machine.begin_with_snapshots(names.iter().map(|name| name.parse().unwrap()).collect::<BTreeSet<_>>());
    driven.elapse();
    driven
}

fn default_with_snapshot() -> Driven {
    let mut driven = Driven::new(true);
    driven.machine.begin_with_snapshots([SubscriptionName::DEFAULT].into());
    driven.elapse();
    driven
}

impl Driven {
    fn position(&self) -> Option<&str> {
        self.machine.bookmark().map(|bookmark| bookmark.position.as_str())
    }

    /// The items in short: the names of the kinds.
    fn short_items(&mut self, first: Effects) -> Vec<String> {
        let items: Vec<_> = first.item.map(Result::unwrap).into_iter().chain(self.items()).collect();
        let kind = |item: &StreamItem| match item {
            StreamItem::SnapshotComplete { subscriptions, entities } => {
                format!("complete {subscriptions:?} {entities}")
            }
            StreamItem::Snapshot(event) => format!("snapshot {}", event.message().entity_id),
            StreamItem::Event(event) => format!("event {}", event.message().id),
            other => format!("{other:?}").split([' ', '(']).next().unwrap_or_default().to_owned(),
        };
        items.iter().map(kind).collect()
    }

    fn receives(&mut self, frame: &str) -> (String, Vec<String>) {
        let effects = self.receive(frame);
        let sent = sent(&effects);
        (sent, self.short_items(effects))
    }

    fn reopen(&mut self) -> String {
        self.step(Input::Failed(lost()));
        self.items();
        self.elapse();
        sent(&self.step(Input::Opened))
    }
}

#[test]
fn the_wish_is_part_of_the_first_message_and_a_snapshot_is_no_repeat() {
    let mut driven = begins(&["map", "list"]);
    let expected = r#"{"action":"subscribe","subscriptions":[{"subscription":"map","snapshot":true},{"subscription":"list","snapshot":true}],"requestId":"subscribe"}"#;
    assert_eq!(sent(&driven.step(Input::Opened)), expected);
    for _ in 0..2 {
        assert_eq!(driven.receives(&entity("urn:1")), (String::new(), vec!["snapshot urn:1".to_owned()]));
    }
    assert_eq!(driven.machine.repeats(), 0);
    let (sent, items) = driven.receives(&first_part("05", 2, None, &json!(null)));
    assert_eq!(items, ["Subscribed", r#"complete [SubscriptionName("list"), SubscriptionName("map")] 2"#]);
    assert_eq!((sent.as_str(), driven.position()), ("", Some("05")));
}

/// Lambda repeats an event whose entity has no state, and it then has one.
#[test]
fn an_event_without_state_is_not_remembered() {
    let mut driven = begins(&["map"]);
    driven.step(Input::Opened);
    driven.receives(&first_part("05", 0, None, &json!(null)));
    let without_state = event_at("1", "06", false).replacen('{', r#"{"state":"unavailable","#, 1);
    for (frame, repeats) in [(&without_state, 0), (&event_at("1", "07", false), 0), (&event_at("1", "08", false), 1)] {
        driven.receives(frame);
        assert_eq!(driven.machine.repeats(), repeats, "{frame}");
    }
}

#[test]
fn the_parts_are_fetched_and_the_bookmark_waits_for_the_last() {
    let mut driven = default_with_snapshot();
    assert_eq!(sent(&driven.step(Input::Opened)), r#"{"action":"subscribe","snapshot":true,"requestId":"subscribe"}"#);
    let (sent_next, items) = driven.receives(&first_part("05", 5, Some("a"), &json!(null)));
    assert_eq!(items, ["Subscribed"]);
    assert_eq!(sent_next, r#"{"action":"snapshot","next":"a","requestId":"snapshot-1"}"#);
    driven.receives(&event_at("1", "06", false));
    assert_eq!(driven.position(), None);
    // Requests wait.
    assert_eq!(sent(&driven.subscribe(&["a"])), "");
    let (sent_next, items) = driven.receives(&part("snapshot-1", 7, Some("b")));
    assert_eq!((sent_next.as_str(), items.len()), (r#"{"action":"snapshot","next":"b","requestId":"snapshot-2"}"#, 0));
    assert_eq!(driven.receives(&part("snapshot-1", 7, None)).1.len(), 0, "not the answer that is due");
    let (sent_next, items) = driven.receives(&part("snapshot-2", 1, None));
    assert_eq!(items, [r#"complete [SubscriptionName("")] 13"#]);
    assert_eq!(sent_next, r#"{"action":"subscribe","subscription":"a","requestId":"request-1"}"#);
    assert_eq!(driven.position(), Some("05"));
}

#[test]
fn a_connection_that_is_lost_before_the_end_begins_the_snapshot_anew() {
    let mut driven = default_with_snapshot();
    driven.step(Input::Opened);
    driven.receive(&first_part("05", 5, Some("a"), &json!(null)));
    let anew = r#"{"action":"subscribe","snapshot":true,"requestId":"subscribe"}"#;
    assert_eq!(driven.reopen(), anew);
    driven.items();
    driven.receives(&first_part("06", 1, None, &json!(null)));
    assert_eq!(driven.position(), Some("06"));

    // The next one asks for the past as well, and gets a snapshot because there is none.
    let with_since = |position| {
        format!(
            r#"{{"action":"subscribe","snapshot":true,"since":{{"position":"{position}","session":"s"}},"requestId":"subscribe"}}"#
        )
    };
    assert_eq!(driven.reopen(), with_since("06"));
    driven.items();
    let (_, items) = driven.receives(&first_part("09", 1, Some("b"), &not_recovered("expired")));
    assert_eq!(items, ["Subscribed", "NotRecovered"]);
    assert_eq!(driven.position(), Some("06"), "the snapshot is not complete");
    assert_eq!(driven.reopen(), with_since("06"));
    driven.items();
    // It recovers after all.
    let (sent, items) = driven.receives(&answered("10", "s", &recovered(0)));
    assert_eq!((sent.as_str(), items), ("", vec!["Subscribed".to_owned(), "Recovered".to_owned()]));
    assert_eq!(driven.position(), Some("10"));
}

#[test]
fn an_unknown_token_begins_the_snapshot_anew() {
    let mut driven = default_with_snapshot();
    driven.step(Input::Opened);
    driven.receive(&first_part("05", 5, Some("a"), &json!(null)));
    let (sent, items) = driven.receives(&rejection("invalid_snapshot_token", Some("snapshot-1")));
    assert_eq!((sent.as_str(), items.len()), (r#"{"action":"subscribe","snapshot":true,"requestId":"snapshot-2"}"#, 0));
    let again = first_part("07", 3, Some("b"), &json!(null)).replace(r#""subscribe""#, r#""snapshot-2""#);
    let (sent, _) = driven.receives(&again);
    assert_eq!(
        (sent.as_str(), driven.position()),
        (r#"{"action":"snapshot","next":"b","requestId":"snapshot-3"}"#, None)
    );
    let (_, items) = driven.receives(&part("snapshot-3", 1, None));
    assert_eq!((items.len(), driven.position()), (1, Some("07")));
    assert!(items[0].ends_with(" 4"), "{items:?}");

    // A server that never knows its own tokens is given up for a while.
    let mut driven = default_with_snapshot();
    driven.step(Input::Opened);
    driven.receive(&first_part("05", 5, Some("a"), &json!(null)));
    for number in 0..8 {
        let id = format!("snapshot-{}", number + 1);
        driven.receive(&rejection("invalid_snapshot_token", Some(&id)));
    }
    assert!(matches!(driven.machine.state(), StreamState::Waiting { .. }));
}

#[test]
fn an_empty_part_or_a_fault_is_asked_for_again_after_a_pause() {
    let mut driven = default_with_snapshot();
    driven.step(Input::Opened);
    let (sent_next, _) = driven.receives(&first_part("05", 0, Some("a"), &json!(null)));
    assert_eq!(sent_next, "");
    for number in 1..=6 {
        let before = driven.now;
        let effects = driven.elapse();
        assert_eq!(driven.now - before, PAUSE);
        let expected = format!(r#"{{"action":"snapshot","next":"a","requestId":"snapshot-{number}"}}"#);
        assert_eq!(sent(&effects), expected);
        driven.receive(&rejection("internal", Some(&format!("snapshot-{number}"))));
    }
    assert!(matches!(driven.machine.state(), StreamState::Waiting { .. }), "{:?}", driven.machine.state());

    let mut driven = default_with_snapshot();
    driven.step(Input::Opened);
    driven.receive(&first_part("05", 1, Some("a"), &json!(null)));
    let before = driven.now;
    driven.elapse();
    assert_eq!(driven.now - before, ANSWER, "each part is due in time");
    assert!(matches!(driven.machine.state(), StreamState::Waiting { .. }));
}

#[test]
fn a_large_part_that_arrives_slowly_is_in_time() {
    let mut driven = default_with_snapshot();
    driven.step(Input::Opened);
    for number in 0..10 {
        driven.now += ANSWER / 2;
        driven.receive(&entity(&number.to_string()));
    }
    assert!(driven.machine.state().deadline().unwrap() > driven.now);
}

#[test]
fn a_subscription_of_an_open_stream_is_owed_its_snapshot_also_if_the_stream_resumes() {
    let mut driven = Driven::new(true);
    driven.elapse();
    driven.step(Input::Opened);
    driven.receive(&answered("05", "s", &json!(null)));
    driven.items();
    let request = || Input::Request(SubscriptionRequest::SubscribeWithSnapshot(vec![named("map")]));
    assert_eq!(
        sent(&driven.step(request())),
        r#"{"action":"subscribe","subscription":"map","snapshot":true,"requestId":"request-1"}"#
    );
    let accepted = first_part("06", 5, Some("a"), &json!(null)).replace(r#""subscribe""#, r#""request-1""#);
    let (sent_next, items) = driven.receives(&accepted);
    assert_eq!(items, ["Accepted"]);
    assert_eq!(sent_next, r#"{"action":"snapshot","next":"a","requestId":"snapshot-1"}"#);

    let opening = driven.reopen();
    assert!(opening.contains(r#"{"subscription":"map","snapshot":true}],"since":{"position":"05""#), "{opening}");
    driven.items();
    let (sent_next, items) = driven.receives(&answered("07", "s", &recovered(0)));
    assert_eq!(items, ["Subscribed", "Recovered"]);
    assert_eq!(sent_next, r#"{"action":"subscribe","subscription":"map","snapshot":true,"requestId":"snapshot-2"}"#);
    let again = first_part("08", 5, None, &json!(null)).replace(r#""subscribe""#, r#""snapshot-2""#);
    assert_eq!(driven.receives(&again).1, [r#"complete [SubscriptionName("map")] 5"#]);
    assert_eq!(driven.position(), Some("08"));

    // It is owed once, and a subscription without the wish is owed none.
    driven.reopen();
    driven.items();
    assert_eq!(driven.receives(&answered("09", "s", &recovered(0))).0, "");
    driven.subscribe(&["map"]);
    driven.receive(&answered("09", "s", &json!(null)).replace(r#""subscribe""#, r#""request-2""#));
    let opening = driven.reopen();
    assert!(!opening.contains("snapshot"), "{opening}");
}

/// The program has ended the subscription, so the rest of the snapshot has no receiver.
#[test]
fn a_snapshot_ends_with_its_subscription() {
    for is_paused in [false, true] {
        let mut driven = Driven::new(true);
        driven.elapse();
        driven.step(Input::Opened);
        driven.receive(&answered("05", "s", &json!(null)));
        driven.items();
        driven.step(Input::Request(SubscriptionRequest::SubscribeWithSnapshot(vec![named("map")])));
        driven.receives(&first_part("06", 5, Some("a"), &json!(null)).replace(r#""subscribe""#, r#""request-1""#));
        driven.step(Input::Request(SubscriptionRequest::Unsubscribe(name("map"))));
        let (mut message, items) = driven.receives(&part("snapshot-1", u32::from(!is_paused), Some("b")));
        assert!(items.is_empty(), "{items:?}");
        if is_paused {
            message = sent(&driven.elapse());
        }
        assert_eq!(message, r#"{"action":"unsubscribe","subscription":"map","requestId":"request-2"}"#);
        driven.receives(&answer("unsubscribed", "request-2"));
        assert_eq!(driven.position(), Some("06"));
        assert!(!driven.reopen().contains("snapshot"));
    }
}

#[test]
fn a_replacement_with_a_snapshot_removes_the_old_subscription_after_the_snapshot() {
    let mut driven = Driven::new(true);
    driven.elapse();
    driven.step(Input::Opened);
    driven.receive(&answered("05", "s", &json!(null)));
    driven.items();
    let request = SubscriptionRequest::Replace {
        old: SubscriptionName::DEFAULT,
        new: Box::new(named("map")),
        has_snapshot: true,
    };
    assert_eq!(
        sent(&driven.step(Input::Request(request))),
        r#"{"action":"subscribe","subscription":"map","snapshot":true,"requestId":"request-1"}"#
    );
    let accepted = first_part("06", 5, Some("a"), &json!(null)).replace(r#""subscribe""#, r#""request-1""#);
    let (message, items) = driven.receives(&accepted);
    assert_eq!((message.as_str(), items.len()), (r#"{"action":"snapshot","next":"a","requestId":"snapshot-1"}"#, 0));
    let (message, items) = driven.receives(&part("snapshot-1", 1, None));
    assert_eq!(message, r#"{"action":"unsubscribe","requestId":"request-2"}"#);
    assert_eq!(items, [r#"complete [SubscriptionName("map")] 6"#]);
    assert_eq!(driven.receives(&answer("unsubscribed", "request-2")).1, ["Accepted"]);
    // Without the past, the subscription begins with a snapshot again.
    assert!(driven.reopen().starts_with(r#"{"action":"subscribe","subscription":"map","snapshot":true,"since""#));
}

/// The connection is lost before the snapshot is complete: the next one opens with the new subscription alone.
#[test]
fn a_replacement_with_a_snapshot_takes_effect_with_the_next_connection() {
    let mut driven = default_with_snapshot();
    driven.step(Input::Opened);
    driven.receive(&first_part("05", 0, None, &json!(null)));
    driven.items();
    let request = SubscriptionRequest::Replace {
        old: SubscriptionName::DEFAULT,
        new: Box::new(named("map")),
        has_snapshot: true,
    };
    driven.step(Input::Request(request));
    driven.receives(&first_part("06", 5, Some("a"), &json!(null)).replace(r#""subscribe""#, r#""request-1""#));
    assert_eq!(
        driven.reopen(),
        r#"{"action":"subscribe","subscription":"map","snapshot":true,"since":{"position":"05","session":"s"},"requestId":"subscribe"}"#
    );
    driven.items();
    let (message, _) = driven.receives(&answered("07", "s", &recovered(0)));
    assert_eq!(message, r#"{"action":"subscribe","subscription":"map","snapshot":true,"requestId":"snapshot-2"}"#);
}
