//! The replacement of a connection, and a member that leaves its group.

use std::collections::HashSet;

use proptest::prelude::*;

use super::*;
use crate::rotation::{ReplacementEffects, ReplacementInput};

/// A stream that has subscribed at this position, and wants the next connection.
fn rotating(conduct: StreamConduct) -> Driven {
    let now = Instant::now();
    let mut driven = Driven { machine: Machine::new(vec![named("a")], None, conduct, now), now };
    driven.elapse();
    driven.step(Input::Opened);
    driven.receive(&subscribed_at("subscribe", "05", "one", None));
    driven.items();
    let begin = driven.now;
    while !driven.machine.wants_replacement() {
        driven.now = driven.machine.deadline().unwrap();
        driven.machine.step(Input::Elapsed, driven.now);
        driven.receive(&json!({ "type": "pong" }).to_string());
    }
    let age = driven.now - begin;
    assert!((99 * 60..=110 * 60 + 1).contains(&age.as_secs()), "{age:?}");
    driven
}

fn subscribed_at(id: &str, position: &str, session: &str, recovered: Option<bool>) -> String {
    let mut answer = json!({ "type": "subscribed", "requestId": id, "position": position, "session": session });
    if let Some(recovered) = recovered {
        answer["recovered"] = json!(recovered);
        answer[if recovered { "replayed" } else { "reason" }] = if recovered { json!(0) } else { json!("expired") };
    }
    answer.to_string()
}

fn event_at(id: &str, position: &str) -> String {
    let mut event: serde_json::Value = serde_json::from_str(&event(id)).unwrap();
    (event["position"], event["subscriptions"]) = (json!(position), json!(["a"]));
    event.to_string()
}

fn next(driven: &mut Driven, input: ReplacementInput) -> ReplacementEffects {
    driven.now += Duration::from_millis(1);
    driven.machine.step_replacement(input, driven.now)
}

fn text(message: Option<ClientMessage>) -> String {
    message.map(|message| message.to_json()).unwrap_or_default()
}

fn ids(driven: &mut Driven) -> Vec<String> {
    let id = |item| match item {
        StreamItem::Event(event) => Some(event.message().id.to_string()),
        _ => None,
    };
    driven.items().into_iter().filter_map(id).collect()
}

#[test]
fn the_next_connection_resumes_and_takes_over() {
    let mut driven = rotating(conduct(true));
    let effects = next(&mut driven, ReplacementInput::Opened(None));
    assert_eq!(
        text(effects.send),
        r#"{"action":"subscribe","subscription":"a","since":{"position":"05","session":"one"},"requestId":"replace"}"#
    );
    driven.subscribe(&["b"]);
    next(&mut driven, ReplacementInput::Received(event_at("1", "06")));
    driven.step(Input::Received(event_at("1", "06"), SystemTime::UNIX_EPOCH));
    let effects = next(&mut driven, ReplacementInput::Received(subscribed_at("replace", "07", "two", Some(true))));
    assert!(effects.replaces && effects.farewell.is_none());
    assert_eq!(text(effects.send), r#"{"action":"subscribe","subscription":"b","requestId":"request-1"}"#, "it waited");
    driven.machine.receive_retired(0, &event_at("2", "06"), driven.now);
    driven.receive(&answer("subscribed", "request-1"));
    driven.machine.receive_retired(0, &event_at("1", "06"), driven.now);
    assert!(driven.machine.has_departures());
    driven.now += StreamTiming::DEFAULT.drain;
    driven.machine.step(Input::Elapsed, driven.now);
    assert!(!driven.machine.has_departures());
    assert!(matches!(driven.machine.state(), StreamState::Streaming { .. }));
}

#[test]
fn a_next_connection_that_fails_changes_nothing() {
    for input in [
        ReplacementInput::Failed(lost()),
        ReplacementInput::Received(json!({ "type": "error", "code": "internal", "message": "no" }).to_string()),
    ] {
        let mut driven = rotating(conduct(true));
        next(&mut driven, ReplacementInput::Opened(None));
        next(&mut driven, input);
        assert!(!driven.machine.wants_replacement());
        assert!(matches!(driven.machine.state(), StreamState::Streaming { .. }));
        assert!(matches!(driven.items().as_slice(), [StreamItem::Notice(_)]));
        assert_eq!(driven.machine.bookmark().unwrap().session.as_str(), "one");
    }
}

/// As in an attempt to connect, a refusal gets one more attempt with another token.
#[test]
fn a_next_connection_is_given_up_after_the_second_refused_token() {
    for has_token_source in [true, false] {
        let mut driven = rotating(StreamConduct { has_token_source, ..conduct(true) });
        for attempt in 1..=2 {
            next(&mut driven, ReplacementInput::Failed(refused()));
            assert!(driven.machine.needs_other_token());
            let ends = driven.now + Duration::from_secs(60);
            while driven.now < ends && !driven.machine.wants_replacement() {
                driven.now = driven.machine.deadline().unwrap().max(driven.now);
                driven.machine.step(Input::Elapsed, driven.now);
                driven.receive(&json!({ "type": "pong" }).to_string());
            }
            assert_eq!(driven.machine.wants_replacement(), has_token_source && attempt == 1);
            if !driven.machine.wants_replacement() {
                break;
            }
        }
        assert!(matches!(driven.machine.state(), StreamState::Streaming { .. }));
    }
}

/// A request that came during the rotation is sent when the rotation ends, whatever its end.
#[test]
fn a_request_does_not_wait_for_a_rotation_that_has_failed() {
    let message = r#"{"action":"subscribe","subscription":"b","requestId":"request-1"}"#;
    for input in [
        ReplacementInput::Failed(lost()),
        ReplacementInput::Received(json!({ "type": "error", "code": "internal", "message": "no" }).to_string()),
    ] {
        let mut driven = rotating(conduct(true));
        next(&mut driven, ReplacementInput::Opened(None));
        assert!(driven.subscribe(&["b"]).send.is_none());
        assert_eq!(text(next(&mut driven, input).resume), message);
    }
    for opens in [false, true] {
        let mut driven = rotating(conduct(true));
        if opens {
            next(&mut driven, ReplacementInput::Opened(None));
        }
        driven.subscribe(&["b"]);
        while driven.machine.wants_replacement() {
            driven.now = driven.machine.deadline().unwrap();
            let sent = driven.machine.step(Input::Elapsed, driven.now);
            if !driven.machine.wants_replacement() {
                assert_eq!(text(sent), message);
            }
            driven.receive(&json!({ "type": "pong" }).to_string());
        }
    }
}

/// Without the past on the next connection, the former one alone brings what is under way.
#[test]
fn a_former_connection_that_is_lost_before_its_time_is_a_gap_if_it_was_the_only_source() {
    for (has_recovered, is_early) in [(false, true), (false, false), (true, true)] {
        let mut driven = rotating(conduct(true));
        next(&mut driven, ReplacementInput::Opened(None));
        next(&mut driven, ReplacementInput::Received(subscribed_at("replace", "09", "two", Some(has_recovered))));
        driven.step(Input::Received(event_at("1", "10"), SystemTime::UNIX_EPOCH));
        driven.machine.receive_retired(0, &event_at("2", "07"), driven.now);
        if !is_early {
            driven.now += StreamTiming::DEFAULT.drain;
            driven.machine.step(Input::Elapsed, driven.now);
        }
        driven.machine.retired_ended(0, lost(), driven.now);
        driven.items();
        let is_gap = !has_recovered && is_early;
        assert_eq!(matches!(driven.machine.state(), StreamState::Waiting { .. }), is_gap);
        let position = driven.machine.bookmark().unwrap().position.as_str().to_owned();
        assert_eq!(position, if has_recovered { "10" } else { "05" }, "the events between may be missing");
        if !is_gap {
            driven.step(Input::Received(event_at("3", "11"), SystemTime::UNIX_EPOCH));
            driven.items();
            assert_eq!(driven.machine.bookmark().unwrap().position.as_str(), "11");
        }
    }
}

#[test]
fn the_error_that_ends_a_stream_is_its_last_item() {
    let mut driven = rotating(conduct(true));
    next(&mut driven, ReplacementInput::Opened(None));
    next(&mut driven, ReplacementInput::Received(subscribed_at("replace", "09", "two", Some(true))));
    driven.items();
    let refused = ClientError::Closed { code: CloseCode::PolicyViolation, reason: "expired".to_owned() };
    assert!(driven.step(Input::Failed(refused)).item.unwrap().is_err());
    assert!(!driven.machine.has_departures());
    assert!(driven.machine.receive_retired(0, &event_at("2", "07"), driven.now).is_none());
    assert!(driven.machine.next_item().is_none());
}

#[test]
fn a_lost_connection_ends_its_replacement() {
    let mut driven = rotating(conduct(true));
    next(&mut driven, ReplacementInput::Opened(None));
    driven.step(Input::Failed(lost()));
    assert!(!driven.machine.wants_replacement());
    assert!(matches!(driven.machine.state(), StreamState::Waiting { .. }));
}

#[test]
fn a_replacement_that_has_not_recovered_keeps_the_position() {
    let mut driven = rotating(conduct(true));
    next(&mut driven, ReplacementInput::Opened(None));
    next(&mut driven, ReplacementInput::Received(subscribed_at("replace", "09", "two", Some(false))));
    assert!(driven.items().is_empty(), "the former connection has brought everything");
    let bookmark = driven.machine.bookmark().unwrap();
    assert_eq!((bookmark.position.as_str(), bookmark.session.as_str()), ("05", "two"));
}

#[test]
fn a_member_leaves_its_group_before_the_end() {
    let mut driven = rotating(StreamConduct { is_member: true, ..conduct(true) });
    next(&mut driven, ReplacementInput::Opened(None));
    let effects = next(&mut driven, ReplacementInput::Received(answer("subscribed", "replace")));
    assert_eq!(text(effects.farewell), r#"{"action":"unsubscribe","subscription":"a","requestId":"leave"}"#);
    driven.machine.receive_retired(0, &answer("unsubscribed", "leave"), driven.now);
    driven.machine.receive_retired(0, &event("late"), driven.now);
    assert_eq!(ids(&mut driven), ["late"]);
    driven.now += Duration::from_secs(1);
    driven.machine.step(Input::Elapsed, driven.now);
    assert!(!driven.machine.has_departures());

    let message = driven.machine.leave(driven.now);
    assert_eq!(text(message), r#"{"action":"unsubscribe","subscription":"a","requestId":"leave"}"#);
    assert_eq!(driven.machine.state(), StreamState::Closed);
    driven.machine.receive_retired(1, &event("last"), driven.now);
    assert_eq!(ids(&mut driven), ["last"]);
    driven.now += StreamTiming::DEFAULT.drain;
    driven.machine.step(Input::Elapsed, driven.now);
    assert!(!driven.machine.has_departures());
}

/// A member leaves its group while the connection that was replaced still has events.
#[test]
fn each_of_two_retired_connections_ends_by_itself() {
    let mut driven = rotating(StreamConduct { is_member: true, ..conduct(true) });
    next(&mut driven, ReplacementInput::Opened(None));
    next(&mut driven, ReplacementInput::Received(answer("subscribed", "replace")));
    let former = driven.machine.last_retired().unwrap();
    driven.machine.leave(driven.now);
    let last = driven.machine.last_retired().unwrap();
    assert!(former != last && driven.machine.is_departing(former));
    driven.machine.receive_retired(last, &answer("unsubscribed", "leave"), driven.now);
    driven.machine.receive_retired(former, &event("former"), driven.now);
    driven.machine.receive_retired(last, &event("last"), driven.now);
    assert_eq!(ids(&mut driven), ["former", "last"]);
    driven.now += Duration::from_secs(1);
    driven.machine.step(Input::Elapsed, driven.now);
    assert!(!driven.machine.is_departing(last) && driven.machine.is_departing(former), "that one has not left yet");
    driven.machine.receive_retired(former, &answer("unsubscribed", "leave"), driven.now);
    driven.machine.receive_retired(former, &event("late"), driven.now);
    assert_eq!(ids(&mut driven), ["late"]);
    driven.machine.retired_ended(former, lost(), driven.now);
    assert!(!driven.machine.has_departures());
}

/// A place at which an event arrives, or the takeover.
#[derive(Clone, Copy, Debug)]
enum Arrival {
    OnFormer(u8),
    OnNext(u8),
    Takeover,
}

fn arrivals() -> impl Strategy<Value = Vec<Arrival>> {
    let arrival = prop_oneof![
        4 => (10..30_u8).prop_map(Arrival::OnFormer),
        4 => (10..30_u8).prop_map(Arrival::OnNext),
        1 => Just(Arrival::Takeover),
    ];
    proptest::collection::vec(arrival, 0..40)
}

proptest! {
    /// Whatever arrives on which connection: each event is handed out once, and the bookmark is no position that only the next
    /// connection had before its answer.
    #[test]
    fn each_event_is_handed_out_once(arrivals in arrivals()) {
        let mut driven = rotating(conduct(true));
        next(&mut driven, ReplacementInput::Opened(None));
        let (mut expected, mut committed, mut has_taken_over) = (HashSet::new(), "05".to_owned(), false);
        let mut handed_out = Vec::new();
        for arrival in arrivals {
            match arrival {
                Arrival::OnFormer(number) => {
                    let frame = event_at(&number.to_string(), &number.to_string());
                    if has_taken_over {
                        driven.machine.receive_retired(0, &frame, driven.now);
                    } else {
                        driven.machine.step(Input::Received(frame, SystemTime::UNIX_EPOCH), driven.now);
                        committed = committed.max(number.to_string());
                    }
                    expected.insert(number.to_string());
                }
                Arrival::OnNext(number) => {
                    let frame = event_at(&number.to_string(), &number.to_string());
                    if has_taken_over {
                        driven.machine.step(Input::Received(frame, SystemTime::UNIX_EPOCH), driven.now);
                        committed = committed.max(number.to_string());
                    } else {
                        next(&mut driven, ReplacementInput::Received(frame));
                    }
                    expected.insert(number.to_string());
                }
                Arrival::Takeover if !has_taken_over => {
                    let answer = subscribed_at("replace", "08", "two", Some(true));
                    prop_assert!(next(&mut driven, ReplacementInput::Received(answer)).replaces);
                    (has_taken_over, committed) = (true, committed.max("08".to_owned()));
                }
                Arrival::Takeover => {}
            }
            handed_out.extend(ids(&mut driven));
            prop_assert_eq!(driven.machine.bookmark().unwrap().position.as_str(), &committed);
        }
        let distinct: HashSet<String> = handed_out.iter().cloned().collect();
        prop_assert_eq!(distinct.len(), handed_out.len(), "an event came twice");
        prop_assert_eq!(distinct, expected);
    }
}
