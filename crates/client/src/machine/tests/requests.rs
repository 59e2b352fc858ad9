//! Several subscriptions, and requests about them.

use entity_stream_protocol::{ErrorCode, Filter};

use super::*;

#[test]
fn each_view_of_an_event_is_handed_out_once() {
    let of = |names: &[&str]| {
        let mut event: serde_json::Value = serde_json::from_str(&event("1")).unwrap();
        event["subscriptions"] = json!(names);
        event.to_string()
    };
    let mut driven = Driven::streaming();
    for (names, is_new) in
        [(&["", "map"][..], true), (&["list"], true), (&["list"], false), (&["", "map"], false), (&["new"], true)]
    {
        match driven.receive(&of(names)).item {
            Some(Ok(StreamItem::Event(event))) if is_new => {
                let found: Vec<&str> = event.subscriptions().iter().map(SubscriptionName::as_str).collect();
                assert_eq!(found, names);
            }
            other => assert!(other.is_none() && !is_new, "{names:?}: {other:?}"),
        }
    }
    assert!(driven.receive(&event("1")).item.is_none(), "the default subscription has had it");
}

/// While a subscription is exchanged, the server can deliver an event once for each of the two.
#[test]
fn an_exchange_hands_out_each_event_once() {
    let mut driven = Driven::streaming();
    let of = |id: &str, names: &[&str]| {
        let mut event: serde_json::Value = serde_json::from_str(&event(id)).unwrap();
        event["subscriptions"] = json!(names);
        event.to_string()
    };
    let (mut old, mut messages) = ("a".to_owned(), 1);
    driven.subscribe(&["a", "other"]);
    driven.receive(&answer("subscribed", "request-1"));
    for number in 0..4 {
        let new = format!("b{number}");
        let request = SubscriptionRequest::Replace { old: name(&old), new: Box::new(named(&new)), has_snapshot: false };
        driven.step(Input::Request(request));
        let (first, second) = (format!("1-{number}"), format!("2-{number}"));
        assert!(driven.receive(&of(&first, &[&old])).item.is_some());
        driven.receive(&answer("subscribed", &format!("request-{}", messages + 1)));
        assert!(driven.receive(&of(&first, &[&new])).item.is_none(), "the old one has had it");
        assert!(driven.receive(&of(&second, &[&new])).item.is_some());
        assert!(driven.receive(&of(&second, &[&old])).item.is_none(), "the new one has had it");
        assert!(driven.receive(&of(&second, &["other"])).item.is_some(), "another one has not");
        driven.receive(&answer("unsubscribed", &format!("request-{}", messages + 2)));
        (old, messages) = (new, messages + 2);
    }
    // A name that is free again is another subscription.
    driven.subscribe(&["a"]);
    driven.receive(&answer("subscribed", &format!("request-{}", messages + 1)));
    assert!(driven.receive(&of("1-0", &["a"])).item.is_some());
}

#[test]
fn a_connection_opens_with_all_subscriptions_in_one_message() {
    let mut driven = Driven::with(vec![named("map"), Filter::new(["Room"], None).unwrap().into()], true);
    driven.elapse();
    let expected = r#"{"action":"subscribe","subscriptions":[{"subscription":"map"},{"entityTypes":["Room"]}],"requestId":"subscribe"}"#;
    assert_eq!(sent(&driven.step(Input::Opened)), expected);
}

#[test]
fn requests_are_sent_one_after_the_other() {
    let mut driven = Driven::streaming();
    let first = driven.subscribe(&["a", "b"]);
    assert_eq!(
        sent(&first),
        r#"{"action":"subscribe","subscriptions":[{"subscription":"a"},{"subscription":"b"}],"requestId":"request-1"}"#
    );
    let second = SubscriptionRequest::Unsubscribe(name("a"));
    assert_eq!(sent(&driven.step(Input::Request(second.clone()))), "");
    assert!(driven.receive(&answer("subscribed", "subscribe")).item.is_none(), "an answer to another message");
    let accepted = driven.receive(&answer("subscribed", "request-1"));
    assert_eq!(sent(&accepted), r#"{"action":"unsubscribe","subscription":"a","requestId":"request-2"}"#);
    assert!(matches!(accepted.item, Some(Ok(StreamItem::Accepted(SubscriptionRequest::Subscribe(_))))));
    let accepted = driven.receive(&answer("unsubscribed", "request-2"));
    assert!(matches!(accepted.item, Some(Ok(StreamItem::Accepted(request))) if request == second));
    driven.elapse();
    driven.elapse();
    driven.elapse();
    let expected = r#"{"action":"subscribe","subscriptions":[{},{"subscription":"b"}],"requestId":"subscribe"}"#;
    assert_eq!(sent(&driven.step(Input::Opened)), expected, "a reconnect restores them");
}

#[test]
fn the_new_subscription_is_accepted_before_the_old_one_is_removed() {
    let mut driven = Driven::streaming();
    let request = SubscriptionRequest::Replace {
        old: SubscriptionName::DEFAULT,
        new: Box::new(named("map")),
        has_snapshot: false,
    };
    let effects = driven.step(Input::Request(request.clone()));
    assert_eq!(sent(&effects), r#"{"action":"subscribe","subscription":"map","requestId":"request-1"}"#);
    let half = driven.receive(&answer("subscribed", "request-1"));
    assert!(half.item.is_none());
    assert_eq!(sent(&half), r#"{"action":"unsubscribe","requestId":"request-2"}"#);
    let done = driven.receive(&answer("unsubscribed", "request-2"));
    assert!(matches!(done.item, Some(Ok(StreamItem::Accepted(found))) if found == request));
    driven.step(Input::Failed(lost()));
    driven.elapse();
    assert_eq!(driven.machine.subscriptions(), [named("map")]);
}

#[test]
fn a_refused_request_changes_nothing_and_the_stream_goes_on() {
    for code in ["limit_exceeded", "invalid_q", "internal", "conflict"] {
        let mut driven = Driven::streaming();
        driven.step(Input::Request(SubscriptionRequest::Replace {
            old: SubscriptionName::DEFAULT,
            new: Box::new(named("a")),
            has_snapshot: false,
        }));
        let is_temporary = matches!(code, "internal" | "conflict");
        let attempts = if is_temporary { 4 } else { 1 };
        let refusal =
            |attempt: u32| rejection(code, Some(&format!("request-{attempt}"))).replace('}', r#","subscription":"a"}"#);
        for attempt in 1..attempts {
            let effects = driven.receive(&refusal(attempt));
            assert!(effects.item.is_none() && effects.send.is_none(), "{effects:?}");
            assert_eq!(sent(&driven.step(Input::Busy)), "", "not before the pause is over");
            let before = driven.now;
            // A connection on which events arrive all the time has no quiet moment.
            let message = if attempt % 2 == 0 {
                sent(&driven.elapse())
            } else {
                driven.now += Duration::from_millis(499);
                sent(&driven.step(Input::Busy))
            };
            assert_eq!(
                message,
                format!(r#"{{"action":"subscribe","subscription":"a","requestId":"request-{}"}}"#, attempt + 1)
            );
            assert!(driven.now - before <= Duration::from_millis(500));
        }
        assert_eq!(sent(&driven.subscribe(&["b"])), "");
        let refused = driven.receive(&refusal(attempts));
        let Some(Ok(StreamItem::Refused { request: SubscriptionRequest::Replace { .. }, error })) = &refused.item
        else {
            panic!("{refused:?}")
        };
        assert_eq!(error.to_string(), "the server refused the subscription a: no");
        assert_eq!(error.is_temporary(), is_temporary);
        let id = format!("request-{}", attempts + 1);
        assert_eq!(sent(&refused), format!(r#"{{"action":"subscribe","subscription":"b","requestId":"{id}"}}"#));
        driven.receive(&answer("subscribed", &id));
        driven.step(Input::Failed(lost()));
        driven.elapse();
        assert_eq!(driven.machine.subscriptions(), [Subscription::default(), named("b")]);
    }
}

/// The server fails at the new subscription alone.
#[test]
fn a_new_subscription_does_not_keep_the_others_from_being_restored() {
    let mut driven = Driven::streaming();
    driven.step(Input::Failed(lost()));
    driven.subscribe(&["a"]);
    driven.elapse();
    driven.step(Input::Opened);
    driven.receive(&rejection("internal", Some("subscribe")));
    driven.elapse();
    assert_eq!(sent(&driven.step(Input::Opened)), r#"{"action":"subscribe","requestId":"subscribe"}"#);
    let message = sent(&driven.receive(&subscribed()));
    assert_eq!(message, r#"{"action":"subscribe","subscription":"a","requestId":"request-1"}"#);
    // Without an accepted subscription, the first one opens the connection.
    let mut driven = Driven::with(vec![], true);
    driven.subscribe(&["a"]);
    driven.subscribe(&["b"]);
    driven.elapse();
    driven.step(Input::Opened);
    driven.receive(&rejection("internal", Some("subscribe")));
    driven.elapse();
    let message = sent(&driven.step(Input::Opened));
    assert_eq!(message, r#"{"action":"subscribe","subscription":"a","requestId":"subscribe"}"#);
}

#[test]
fn an_error_that_concerns_the_connection_ends_it_and_the_request_waits() {
    for frame in [rejection("not_connected", Some("request-1")), gateway_error()] {
        let mut driven = Driven::streaming();
        driven.subscribe(&["a"]);
        assert!(matches!(driven.receive(&frame).item, Some(Ok(StreamItem::Disconnected { .. }))), "{frame}");
        driven.elapse();
        assert_eq!(driven.machine.subscriptions(), [Subscription::default(), named("a")]);
    }
    let mut driven = Driven::streaming();
    driven.subscribe(&["a"]);
    let effects = driven.receive(&rejection("unauthorized", Some("request-1")));
    assert!(matches!(effects.item, Some(Err(ClientError::Rejected { code: ErrorCode::Unauthorized, .. }))));
}

#[test]
fn a_request_has_to_be_answered_even_if_events_arrive() {
    let mut driven = Driven::streaming();
    driven.subscribe(&["a"]);
    let before = driven.now;
    driven.receive(&event("1"));
    let effects = driven.elapse();
    assert_eq!(driven.now - before, ANSWER);
    assert!(matches!(
        effects.item,
        Some(Ok(StreamItem::Disconnected { error: ClientError::Timeout(ANSWER), was_subscribed: true, .. }))
    ));
}

#[test]
fn a_refused_request_of_a_lost_connection_does_not_end_the_stream() {
    let mut driven = Driven::streaming();
    driven.step(Input::Failed(lost()));
    driven.subscribe(&["a"]);
    driven.subscribe(&["b"]);
    driven.elapse();
    // Too late for this connection's URL and first message.
    assert_eq!(sent(&driven.subscribe(&["c"])), "");
    let expected = r#"{"action":"subscribe","subscriptions":[{},{"subscription":"a"},{"subscription":"b"}],"requestId":"subscribe"}"#;
    assert_eq!(sent(&driven.step(Input::Opened)), expected);
    let refused = driven.receive(&rejection("invalid_q", Some("subscribe")).replace('}', r#","subscription":"a"}"#));
    let Some(Ok(StreamItem::Refused { request: SubscriptionRequest::Subscribe(given_up), .. })) = refused.item else {
        panic!("{refused:?}")
    };
    assert_eq!(given_up, [named("a")]);
    driven.elapse();
    assert_eq!(driven.machine.subscriptions(), [Subscription::default(), named("b"), named("c")]);
    // A fault that has no name is looked for from the last request on.
    driven.step(Input::Failed(HandshakeRefusal { status: 400, reason: String::new(), by_gateway: false }.into()));
    driven.elapse();
    assert_eq!(driven.machine.subscriptions(), [Subscription::default(), named("b")]);
    driven.step(Input::Opened);
    let effects = driven.receive(&subscribed());
    assert!(matches!(effects.item, Some(Ok(StreamItem::Subscribed { .. }))) && effects.send.is_none());
}

/// The close concerns the other subscriptions too.
#[test]
fn a_close_that_refuses_a_request_is_a_lost_connection_too() {
    let mut driven = Driven::streaming();
    driven.items();
    driven.subscribe(&["a"]);
    let close = ClientError::Closed { code: CloseCode::TooLarge, reason: "big".to_owned() };
    let first = driven.step(Input::Failed(close)).item;
    assert!(matches!(first, Some(Ok(StreamItem::Refused { .. }))), "{first:?}");
    let items = driven.items();
    let [StreamItem::Disconnected { error: ClientError::Closed { reason, .. }, was_subscribed: true, .. }] = &*items
    else {
        panic!("{items:?}")
    };
    assert_eq!(reason, "big");
}
