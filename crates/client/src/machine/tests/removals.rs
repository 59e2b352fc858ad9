//! Subscriptions that the server cannot remove, or does not accept any more.

use super::*;

fn of(id: &str, names: &[&str]) -> String {
    let mut event: serde_json::Value = serde_json::from_str(&event(id)).unwrap();
    event["subscriptions"] = json!(names);
    event.to_string()
}

/// Lets the time pass to the next message.
fn next_message(driven: &mut Driven) -> String {
    loop {
        driven.now = driven.machine.deadline().unwrap().max(driven.now);
        let message = driven.machine.step(Input::Elapsed, driven.now).as_ref().map(ClientMessage::to_json);
        match message.as_deref() {
            Some(r#"{"action":"ping"}"#) => driven.receive(r#"{"type":"pong"}"#),
            Some(message) => return message.to_owned(),
            None => continue,
        };
    }
}

/// A stream of the default subscription and `a`, which the server cannot remove.
fn with_postponed(conduct: StreamConduct, request: &SubscriptionRequest) -> Driven {
    let now = Instant::now();
    let subscriptions = vec![Subscription::default(), named("a")];
    let mut driven = Driven { machine: Machine::new(subscriptions, None, conduct, now), now };
    driven.elapse();
    driven.step(Input::Opened);
    driven.receive(&subscribed());
    driven.items();
    let mut message = sent(&driven.step(Input::Request(request.clone())));
    if matches!(request, SubscriptionRequest::Replace { .. }) {
        message = sent(&driven.receive(&answer("subscribed", "request-1")));
    }
    for attempt in 1..=4 {
        assert!(message.starts_with(r#"{"action":"unsubscribe","subscription":"a""#), "{message}");
        let id = message.split('"').rev().nth(1).unwrap().to_owned();
        let code = if attempt % 2 == 0 { "internal" } else { "conflict" };
        let effects = driven.receive(&rejection(code, Some(&id)));
        if attempt == 4 {
            assert!(matches!(effects.item, Some(Ok(StreamItem::Accepted(accepted))) if accepted == *request));
        } else {
            assert!(effects.item.is_none(), "{effects:?}");
            message = sent(&driven.elapse());
        }
    }
    driven
}

fn unsubscribe(text: &str) -> SubscriptionRequest {
    SubscriptionRequest::Unsubscribe(name(text))
}

#[test]
fn a_removal_that_the_server_cannot_serve_is_repeated_with_growing_waits() {
    let replace = SubscriptionRequest::Replace { old: name("a"), new: Box::new(named("b")), has_snapshot: false };
    for request in [unsubscribe("a"), replace] {
        let mut driven = with_postponed(conduct(true), &request);
        for (attempt, seconds) in [1, 2, 4, 8, 16, 30, 30].into_iter().enumerate() {
            assert!(driven.receive(&of(&format!("hidden-{attempt}"), &["a"])).item.is_none());
            let before = driven.now;
            let message = next_message(&mut driven);
            let id = format!("removal-{}", attempt + 1);
            assert_eq!(message, format!(r#"{{"action":"unsubscribe","subscription":"a","requestId":"{id}"}}"#));
            assert!((driven.now - before).as_secs_f64().round() as u64 == seconds, "{seconds}");
            let code = if attempt % 2 == 0 { "internal" } else { "conflict" };
            assert!(driven.receive(&rejection(code, Some(&id))).item.is_none());
        }
        let Some(Ok(StreamItem::Event(event))) = driven.receive(&of("both", &["a", ""])).item else { panic!() };
        assert_eq!(event.subscriptions(), [SubscriptionName::DEFAULT]);
        next_message(&mut driven);
        driven.receive(&answer("unsubscribed", "removal-8"));
        assert!(driven.machine.postponed_deadline().is_none());
        driven.step(Input::Failed(lost()));
        driven.elapse();
        assert!(!driven.machine.subscriptions().contains(&named("a")), "a reconnect does not restore it");
    }
}

#[test]
fn a_removal_waits_for_no_other_request_and_none_for_it() {
    let mut driven = with_postponed(conduct(true), &unsubscribe("a"));
    let added = driven.subscribe(&["b"]);
    assert_eq!(sent(&added), r#"{"action":"subscribe","subscription":"b","requestId":"request-5"}"#);
    driven.now += Duration::from_secs(10);
    assert_eq!(sent(&driven.step(Input::Busy)), "", "a request is under way");
    let accepted = driven.receive(&answer("subscribed", "request-5"));
    assert_eq!(sent(&accepted), r#"{"action":"unsubscribe","subscription":"a","requestId":"removal-1"}"#);
    assert_eq!(sent(&driven.subscribe(&["c"])), "");
    let answered = driven.receive(&rejection("not_subscribed", Some("removal-1")));
    assert_eq!(sent(&answered), r#"{"action":"subscribe","subscription":"c","requestId":"request-6"}"#);
    assert!(driven.machine.postponed_deadline().is_none());
}

/// The server exchanges a subscription of the same name.
#[test]
fn a_name_that_is_used_again_is_not_removed() {
    let mut driven = with_postponed(conduct(true), &unsubscribe("a"));
    driven.subscribe(&["a"]);
    assert!(driven.receive(&of("1", &["a"])).item.is_some());
    driven.receive(&answer("subscribed", "request-5"));
    driven.now += Duration::from_secs(10);
    driven.step(Input::Elapsed);
    assert!(driven.machine.postponed_deadline().is_none());
    assert!(driven.receive(&of("2", &["a"])).item.is_some());
}

/// The group gives these events to no other member.
#[test]
fn a_member_takes_the_events_of_a_subscription_that_the_server_cannot_remove() {
    let mut driven = with_postponed(StreamConduct { is_member: true, ..conduct(true) }, &unsubscribe("a"));
    assert!(driven.receive(&of("1", &["a"])).item.is_some());
    let mut message = driven.machine.leave(driven.now).map(|message| message.to_json());
    assert_eq!(message.as_deref(), Some(r#"{"action":"unsubscribe","requestId":"leave"}"#));
    message = driven
        .machine
        .receive_retired(0, &answer("unsubscribed", "leave"), driven.now)
        .map(|message| message.to_json());
    assert_eq!(message.as_deref(), Some(r#"{"action":"unsubscribe","subscription":"a","requestId":"leave"}"#));
}

#[test]
fn a_restored_subscription_that_is_refused_ends_alone() {
    for named_by_server in [true, false] {
        let mut driven = Driven::with(vec![named("a"), named("b")], true);
        driven.elapse();
        driven.step(Input::Opened);
        driven.receive(&subscribed());
        driven.step(Input::Failed(lost()));
        driven.items();
        if named_by_server {
            // It is not at fault.
            driven.subscribe(&["c"]);
        }
        driven.elapse();
        driven.step(Input::Opened);
        driven.items();
        let refusal = rejection("invalid_q", Some("subscribe"));
        let refusal = if named_by_server { refusal.replace('}', r#","subscription":"b"}"#) } else { refusal };
        let item = driven.receive(&refusal).item;
        if !named_by_server {
            assert!(matches!(item, Some(Err(ClientError::Rejected { .. }))), "{item:?}");
            continue;
        }
        let Some(Ok(StreamItem::SubscriptionEnded { subscription, .. })) = item else { panic!("{item:?}") };
        assert_eq!(subscription, named("b"));
        driven.elapse();
        assert_eq!(driven.machine.subscriptions(), [named("a"), named("c")]);
    }
}

#[test]
fn without_another_subscription_the_error_ends_the_stream() {
    let mut driven = Driven::with(vec![named("a")], true);
    driven.elapse();
    driven.step(Input::Opened);
    driven.receive(&subscribed());
    driven.step(Input::Failed(lost()));
    driven.items();
    driven.elapse();
    driven.step(Input::Opened);
    driven.items();
    let refusal = rejection("invalid_q", Some("subscribe")).replace('}', r#","subscription":"a"}"#);
    assert!(matches!(driven.receive(&refusal).item, Some(Err(ClientError::Rejected { .. }))));
    assert_eq!(driven.machine.state(), StreamState::Closed);
}
