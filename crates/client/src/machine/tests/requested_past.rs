//! Subscriptions that begin with past events on a stream that has others.

use entity_stream_protocol::limits::RESUME_INTERVAL;

use super::resuming::{answered, event_at, recovered};
use super::*;
use crate::requested_past::RequestedPast;

impl Driven {
    fn ask(&mut self, text: &str, seconds: u32, has_snapshot: bool) -> Effects {
        let past = RequestedPast::new(Since::Seconds { seconds }, self.now);
        let request = SubscriptionRequest::SubscribeSince { added: vec![named(text)], past, has_snapshot };
        self.step(Input::Request(request))
    }
}

/// The answer to the request with this number.
fn accepted(number: u32, verdict: &serde_json::Value) -> String {
    answered("07", "s", verdict).replace(r#""subscribe""#, &format!(r#""request-{number}""#))
}

fn streaming() -> Driven {
    let mut driven = Driven::with(vec![named("other")], true);
    driven.elapse();
    driven.step(Input::Opened);
    driven.receive(&answered("05", "s", &json!(null)));
    driven.items();
    driven
}

#[test]
fn a_later_subscription_has_its_own_past_and_verdict() {
    let mut driven = streaming();
    let expected = r#"{"action":"subscribe","subscription":"a","since":{"seconds":31},"requestId":"request-1"}"#;
    assert_eq!(sent(&driven.ask("a", 30, false)), expected);
    let past = event_at("1", "03", true).replacen('{', r#"{"subscriptions":["a"],"#, 1);
    assert!(matches!(driven.receive(&past).item, Some(Ok(StreamItem::Event(_)))));
    let first = driven.receive(&accepted(1, &recovered(1)));
    assert!(matches!(first.item, Some(Ok(StreamItem::Accepted(SubscriptionRequest::SubscribeSince { .. })))));
    assert!(matches!(driven.items()[..], [StreamItem::Recovered { replayed: 1 }]));
    assert_eq!(driven.machine.bookmark().unwrap().position.as_str(), "07");
}

#[test]
fn a_server_without_history_gives_a_verdict_too() {
    let mut driven = streaming();
    driven.ask("a", 30, false);
    driven.receive(&answer("subscribed", "request-1"));
    assert!(matches!(driven.items()[..], [StreamItem::NotRecovered { .. }]));
}

/// The server refuses a second one within 10 seconds, and the seconds count from the call.
#[test]
fn the_next_one_waits_and_those_behind_it() {
    let mut driven = streaming();
    driven.ask("a", 30, false);
    assert_eq!(sent(&driven.ask("b", 60, false)), "");
    driven.subscribe(&["c"]);
    assert_eq!(sent(&driven.receive(&accepted(1, &recovered(0)))), "");
    let before = driven.now;
    let message = sent(&driven.elapse());
    assert!(driven.now - before <= RESUME_INTERVAL && driven.now - before > RESUME_INTERVAL / 2);
    assert!(message.contains(r#""subscription":"b","since":{"seconds":71}"#), "{message}");
    assert!(sent(&driven.receive(&accepted(2, &recovered(0)))).contains(r#""subscription":"c","requestId""#));
}

#[test]
fn a_connection_opens_with_the_past_that_its_first_subscriptions_ask_for() {
    let mut driven = Driven::with(Vec::new(), true);
    driven.ask("a", 30, true);
    driven.ask("b", 30, false);
    driven.ask("c", 60, false);
    driven.subscribe(&["d"]);
    driven.elapse();
    assert_eq!(driven.machine.url_subscriptions(driven.now), []);
    let expected = r#"{"action":"subscribe","subscriptions":[{"subscription":"a","snapshot":true},{"subscription":"b"}],"since":{"seconds":31},"requestId":"subscribe"}"#;
    assert_eq!(sent(&driven.step(Input::Opened)), expected);
    // The past events came instead of the snapshot.
    let next = sent(&driven.receive(&answered("05", "s", &recovered(0))));
    assert_eq!(next, r#"{"action":"subscribe","subscription":"a","snapshot":true,"requestId":"snapshot-1"}"#);
    assert!(matches!(driven.items()[..], [StreamItem::Recovered { replayed: 0 }]));
    let mut answer: serde_json::Value = serde_json::from_str(&answered("06", "s", &json!(null))).unwrap();
    (answer["snapshot"], answer["requestId"]) = (json!(0), json!("snapshot-1"));
    driven.receive(&answer.to_string());
    assert!(sent(&driven.elapse()).contains(r#""subscription":"c""#));
}

#[test]
fn a_stream_that_was_idle_gets_the_past_that_it_asks_for() {
    let mut driven = streaming();
    driven.step(Input::Request(SubscriptionRequest::Unsubscribe(name("other"))));
    driven.receive(&answer("unsubscribed", "request-1"));
    while driven.machine.state() != StreamState::Idle {
        driven.now = driven.machine.deadline().unwrap();
        driven.step(Input::Elapsed);
        driven.items();
    }
    driven.ask("a", 60, false);
    while !matches!(driven.machine.state(), StreamState::Connecting { .. }) {
        driven.elapse();
    }
    assert!(sent(&driven.step(Input::Opened)).contains(r#""since":{"seconds":6"#));
    driven.items();
    let past = event_at("1", "03", true).replacen('{', r#"{"subscriptions":["a"],"#, 1);
    assert!(matches!(driven.receive(&past).item, Some(Ok(StreamItem::Event(_)))));
    driven.receive(&answered("07", "s", &recovered(1)));
    assert!(matches!(driven.items()[..], [StreamItem::Recovered { replayed: 1 }]));
}

/// The server counts from its own handling of the first one, which may have been later.
#[test]
fn a_request_that_comes_too_soon_is_sent_once_more() {
    let mut driven = streaming();
    driven.ask("a", 30, false);
    driven.now += Duration::from_secs(3);
    driven.receive(&accepted(1, &recovered(0)));
    let answered = driven.now;
    driven.ask("b", 30, false);
    assert!(sent(&driven.elapse()).contains(r#""subscription":"b""#));
    assert!(driven.now - answered >= RESUME_INTERVAL, "the time counts from the answer");
    let refused = |number: u32| {
        json!({ "type": "error", "code": "limit_exceeded", "message": "since may be sent once in 10 seconds",
            "requestId": format!("request-{number}") })
        .to_string()
    };
    assert!(driven.receive(&refused(2)).item.is_none());
    let before = driven.now;
    assert!(sent(&driven.elapse()).contains(r#""subscription":"b""#));
    assert!(driven.now - before >= RESUME_INTERVAL - Duration::from_millis(1));
    // Another limit.
    assert!(matches!(driven.receive(&refused(3)).item, Some(Ok(StreamItem::Refused { .. }))));
}

/// The bookmark resumes the others, and the request keeps its own place.
#[test]
fn a_connection_that_is_lost_sends_the_request_again() {
    let mut driven = streaming();
    driven.ask("a", 30, false);
    driven.step(Input::Failed(lost()));
    driven.elapse();
    let expected = r#""subscription":"other","since":{"position":"05","session":"s"}"#;
    let message = sent(&driven.step(Input::Opened));
    assert!(message.contains(expected) && !message.contains(r#""a""#), "{message}");
    driven.receive(&answered("06", "s", &recovered(0)));
    let message = sent(&driven.elapse());
    assert!(message.contains(r#""subscription":"a","since":{"seconds":"#), "{message}");
}
