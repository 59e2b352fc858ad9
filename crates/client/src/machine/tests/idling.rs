//! Streams without subscriptions.

use super::*;

const IDLE: Duration = Duration::from_secs(1);

fn unsubscribe(driven: &mut Driven, name: SubscriptionName) -> Effects {
    driven.step(Input::Request(SubscriptionRequest::Unsubscribe(name)))
}

/// A stream whose last subscription has just ended.
fn without_subscriptions(conduct: StreamConduct) -> Driven {
    let now = Instant::now();
    let mut driven = Driven { machine: Machine::new(vec![Subscription::default()], None, conduct, now), now };
    driven.elapse();
    driven.step(Input::Opened);
    driven.receive(&subscribed());
    driven.items();
    unsubscribe(&mut driven, SubscriptionName::DEFAULT);
    let accepted = driven.receive(&answer("unsubscribed", "request-1"));
    assert!(matches!(accepted.item, Some(Ok(StreamItem::Accepted(_)))));
    driven
}

/// Lets the time pass to the next step of anything.
fn elapse(driven: &mut Driven) -> Vec<StreamItem> {
    driven.now = driven.machine.deadline().unwrap().max(driven.now);
    driven.machine.step(Input::Elapsed, driven.now);
    driven.items()
}

#[test]
fn a_stream_closes_its_connection_a_second_after_its_last_subscription() {
    let mut driven = without_subscriptions(conduct(true));
    let before = driven.now;
    assert!(matches!(elapse(&mut driven).as_slice(), [StreamItem::Idle]));
    assert_eq!(driven.now - before, IDLE);
    assert_eq!((driven.machine.state(), driven.machine.deadline()), (StreamState::Idle, None));
    driven.subscribe(&["map"]);
    driven.elapse();
    let message = sent(&driven.step(Input::Opened));
    assert_eq!(message, r#"{"action":"subscribe","subscription":"map","requestId":"subscribe"}"#);
}

#[test]
fn a_subscription_within_the_second_keeps_the_connection() {
    let mut driven = without_subscriptions(conduct(true));
    driven.now += IDLE / 2;
    assert!(!sent(&driven.subscribe(&["map"])).is_empty());
    let effects = driven.receive(&answer("subscribed", "request-2"));
    assert!(matches!(effects.item, Some(Ok(StreamItem::Accepted(_)))));
    assert!(elapse(&mut driven).is_empty());
    assert!(matches!(driven.machine.state(), StreamState::Streaming { .. }));
}

#[test]
fn a_connection_that_is_lost_without_subscriptions_is_no_failure() {
    let mut driven = without_subscriptions(conduct(true));
    assert!(driven.step(Input::Failed(lost())).item.is_none());
    assert!(matches!(elapse(&mut driven).as_slice(), [StreamItem::Idle]));
    assert_eq!(driven.machine.state(), StreamState::Idle);
}

#[test]
fn a_stream_that_wants_nothing_neither_waits_nor_connects() {
    for is_connecting in [false, true] {
        let mut driven = Driven::streaming();
        driven.items();
        driven.step(Input::Failed(lost()));
        if is_connecting {
            driven.elapse();
        }
        let before = driven.now;
        assert!(unsubscribe(&mut driven, SubscriptionName::DEFAULT).item.is_none());
        assert!(matches!(elapse(&mut driven).as_slice(), [StreamItem::Idle]));
        assert!(driven.now - before < Duration::from_millis(2));
    }
}

#[test]
fn a_program_can_subscribe_again_before_the_stream_is_idle() {
    let mut driven = Driven::with(vec![], true);
    assert_eq!(driven.machine.state(), StreamState::Idle);
    driven.subscribe(&["map"]);
    driven.elapse();
    driven.step(Input::Opened);
    let refused = driven.receive(&rejection("invalid_q", Some("subscribe")));
    assert!(matches!(refused.item, Some(Ok(StreamItem::Refused { .. }))), "{refused:?}");
    driven.subscribe(&["list"]);
    assert!(driven.elapse().item.is_none());
    assert!(matches!(driven.machine.state(), StreamState::Connecting { .. }));
}

/// The server can assign events to a member until it has removed the last subscription.
#[test]
fn a_member_takes_the_events_that_are_under_way() {
    let mut driven = without_subscriptions(StreamConduct { is_member: true, ..conduct(true) });
    assert!(matches!(elapse(&mut driven).as_slice(), [StreamItem::Idle]));
    let number = driven.machine.last_retired().unwrap();
    driven.machine.receive_retired(number, &event("late"), driven.now);
    assert!(matches!(driven.items().as_slice(), [StreamItem::Event(_)]));
    elapse(&mut driven);
    assert!(!driven.machine.has_departures());
}
