//! Any sequence of inputs.

use proptest::prelude::*;

use super::resuming::{answered, event_at, not_recovered, recovered};
use super::*;
use crate::requested_past::RequestedPast;

/// Something that happens to a stream.
#[derive(Clone, Debug)]
enum Happening {
    Opened,
    FailedForNow,
    FailedForGood,
    Received(String),
    /// The driver wakes too early, as one with a coarse clock may.
    WokenEarly,
    Deadline,
    Pinged,
    Requested(Box<SubscriptionRequest>),
    Passed(Duration),
    Closed,
}

fn happenings() -> impl Strategy<Value = Vec<Happening>> {
    let frames = prop_oneof![
        4 => (0..6u8).prop_map(|id| event(&id.to_string())),
        4 => Just(subscribed()),
        1 => Just(r#"{"type":"pong"}"#.to_owned()),
        1 => Just(gateway_error()),
        1 => Just(rejection("internal", Some("subscribe"))),
        1 => Just(rejection("not_connected", None)),
        1 => Just(rejection("invalid_id_pattern", Some("subscribe"))),
        4 => (0..8u8, "(un)?subscribed").prop_map(|(number, kind)| answer(&kind, &format!("request-{number}"))),
        2 => (0..8u8).prop_map(|number| rejection("limit_exceeded", Some(&format!("request-{number}")))),
        4 => (0..8u8, "(request|removal)").prop_map(|(n, kind)| rejection("conflict", Some(&format!("{kind}-{n}")))),
        2 => (0..4u8).prop_map(|number| answer("unsubscribed", &format!("removal-{number}"))),
        2 => Just(answered("05", "s", &json!({}))),
        2 => Just(answered("06", "t", &recovered(1))),
        2 => Just(answered("07", "t", &not_recovered("expired"))),
        2 => Just(r#"{"type":"synced","position":"08"}"#.to_owned()),
        2 => (0..6u8, any::<bool>()).prop_map(|(id, replayed)| {
            let events = [id, id + 1].map(|id| event_at(&id.to_string(), &format!("0{id}"), replayed));
            format!(r#"{{"type":"events","events":[{}]}}"#, events.join(","))
        }),
        1 => Just(rejection("limit_exceeded", Some("subscribe"))),
        2 => (0..3u32, any::<bool>(), "(subscribe|request-[0-3]|snapshot-[0-4])").prop_map(|(entities, ends, id)| {
            let mut answer = json!({ "type": "subscribed", "snapshot": entities, "requestId": id });
            if !ends {
                answer["snapshotNext"] = json!("a");
            }
            answer.to_string()
        }),
        2 => (0..3u32, any::<bool>(), 0..9u8).prop_map(|(entities, ends, number)| {
            let mut answer = json!({ "type": "snapshot", "snapshot": entities, "requestId": format!("snapshot-{number}") });
            if !ends {
                answer["snapshotNext"] = json!("b");
            }
            answer.to_string()
        }),
        2 => ("(internal|invalid_snapshot_token|not_available)", 0..9u8)
            .prop_map(|(code, number)| rejection(&code, Some(&format!("snapshot-{number}")))),
        1 => Just(event("0").replace("entityUpdated", "entitySnapshot")),
        1 => any::<String>(),
    ];
    let request = prop_oneof![
        prop::collection::vec("[abc]", 0..3)
            .prop_map(|names| { SubscriptionRequest::Subscribe(names.iter().map(|name| named(name)).collect()) }),
        prop::collection::vec("[abc]", 1..3).prop_map(|names| {
            SubscriptionRequest::SubscribeWithSnapshot(names.iter().map(|name| named(name)).collect())
        }),
        ("[abc]", 1..40u32, any::<bool>()).prop_map(|(text, seconds, has_snapshot)| {
            let past = RequestedPast::new(Since::Seconds { seconds }, Instant::now());
            SubscriptionRequest::SubscribeSince { added: vec![named(&text)], past, has_snapshot }
        }),
        "[abc]".prop_map(|text| SubscriptionRequest::Unsubscribe(name(&text))),
        ("[abc]", "[abc]", any::<bool>()).prop_map(|(old, new, has_snapshot)| SubscriptionRequest::Replace {
            old: name(&old),
            new: Box::new(named(&new)),
            has_snapshot,
        }),
    ];
    let happening = prop_oneof![
        6 => Just(Happening::Opened),
        4 => Just(Happening::FailedForNow),
        1 => Just(Happening::FailedForGood),
        12 => frames.prop_map(Happening::Received),
        1 => Just(Happening::WokenEarly),
        1 => Just(Happening::Pinged),
        4 => request.prop_map(|request| Happening::Requested(Box::new(request))),
        8 => Just(Happening::Deadline),
        4 => (0..400_000u64).prop_map(|millis| Happening::Passed(Duration::from_millis(millis))),
        1 => Just(Happening::Closed),
    ];
    prop::collection::vec(happening, 0..120)
}

/// True if the machine may go from one state to the other in one step.
fn permitted(before: StreamState, after: StreamState) -> bool {
    use StreamState::{Closed, Connecting, Streaming, Subscribing, Waiting};
    match (before, after) {
        (Closed, after) => after == Closed,
        (_, Closed) => true,
        (before, after) if before == after => true,
        (Waiting { .. }, Connecting { .. })
        | (Connecting { .. }, Subscribing { .. } | Waiting { .. })
        // A snapshot on its way extends the time for the answer.
        | (Subscribing { .. }, Subscribing { .. } | Streaming { .. } | Waiting { .. })
        | (Streaming { .. }, Waiting { .. }) => true,
        (Streaming { since, .. }, Streaming { since: same, .. }) => since == same,
        _ => false,
    }
}

proptest! {
    #[test]
    fn no_sequence_of_happenings_breaks_an_invariant(happenings in happenings(), begins_with_snapshot: bool, reconnects: bool, seed: u64) {
        let mut now = Instant::now();
        let random = fastrand::Rng::with_seed(seed);
        let mut machine =
            Machine::with_random(vec![Subscription::default()], None, conduct(reconnects), random, now);
        if begins_with_snapshot {
            machine.begin_with_snapshots([SubscriptionName::DEFAULT].into());
        }
        let mut handed_out = std::collections::HashMap::new();
        let mut ended = false;
        for happening in happenings {
            let before = machine.state();
            let at_deadline = matches!(happening, Happening::Deadline);
            let input = match happening {
                Happening::Opened => Input::Opened,
                Happening::FailedForNow => Input::Failed(lost()),
                Happening::FailedForGood => Input::Failed(refused()),
                Happening::Received(frame) => Input::Received(frame, SystemTime::UNIX_EPOCH),
                Happening::WokenEarly => Input::Elapsed,
                Happening::Pinged => Input::Ping(RequestId::parse("7").unwrap()),
                Happening::Requested(request) => {
                    if machine.check(&request).is_err() {
                        continue;
                    }
                    Input::Request(*request)
                }
                Happening::Deadline => {
                    now = before.deadline().unwrap_or(now).max(now);
                    Input::Elapsed
                }
                Happening::Passed(time) => {
                    now += time;
                    continue;
                }
                Happening::Closed => Input::Close,
            };
            let send = machine.step(input, now);
            let after = machine.state();

            prop_assert!(permitted(before, after), "{before:?} to {after:?}");
            prop_assert_eq!(after.deadline().is_none(), after == StreamState::Closed);
            if at_deadline {
                prop_assert!(after.deadline().is_none_or(|deadline| deadline > now), "{after:?} spins");
            }
            if send.is_some() {
                let open = matches!(after, StreamState::Subscribing { .. } | StreamState::Streaming { .. });
                prop_assert!(open, "a frame in {after:?}");
            }
            let items: Vec<_> = std::iter::from_fn(|| machine.next_item()).collect();
            prop_assert!(!ended || items.is_empty(), "an item after the end");
            ended |= after == StreamState::Closed;
            let is_verdict = |item: &Result<StreamItem, ClientError>| {
                matches!(item, Ok(StreamItem::Recovered { .. } | StreamItem::NotRecovered { .. }))
            };
            let is_end = |item: &Result<StreamItem, ClientError>| matches!(item, Ok(StreamItem::SnapshotComplete { .. }));
            let (ends, items): (Vec<_>, Vec<_>) = items.into_iter().partition(is_end);
            prop_assert!(ends.len() <= 1);
            let verdicts = items.iter().filter(|item| is_verdict(item)).count();
            let has_answer = matches!(items.first(), Some(Ok(StreamItem::Subscribed { .. } | StreamItem::Accepted(_))));
            prop_assert!(verdicts == usize::from(items.last().is_some_and(is_verdict)) && (verdicts == 0 || has_answer));
            for item in items {
                match item {
                    Err(_) => prop_assert!(ended),
                    Ok(StreamItem::Event(event)) => {
                        let before = handed_out.insert(event.message().id.clone(), now);
                        let is_forgotten = |before| now - before > REMEMBERED_EVENTS.time;
                        prop_assert!(before.is_none_or(is_forgotten), "an event came twice");
                    }
                    Ok(StreamItem::Disconnected { error, retry_in, was_subscribed }) => {
                        prop_assert!(reconnects && error.is_temporary());
                        prop_assert!(retry_in <= Duration::from_secs(30));
                        prop_assert_eq!(after, StreamState::Waiting { until: now + retry_in });
                        prop_assert_eq!(was_subscribed, matches!(before, StreamState::Streaming { .. }));
                    }
                    Ok(_) => {}
                }
            }
        }
    }

    /// A server that never answers keeps a driver that does nothing but wait in a slow, endless round of attempts.
    #[test]
    fn without_a_server_the_attempts_go_on_at_a_bounded_rate(seed: u64) {
        let start = Instant::now();
        let random = fastrand::Rng::with_seed(seed);
        let mut machine = Machine::with_random(vec![Subscription::default()], None, conduct(true), random, start);
        let (mut now, mut attempts) = (start, 0);
        while now < start + Duration::from_secs(3600) {
            now = machine.state().deadline().unwrap();
            machine.step(Input::Elapsed, now);
            attempts += u32::from(matches!(machine.state(), StreamState::Connecting { .. }));
        }
        // Each takes 40 seconds and a delay of at most 30.
        prop_assert!((3600 / 70..=3600 / 40).contains(&attempts), "{attempts} attempts in an hour");
    }
}
