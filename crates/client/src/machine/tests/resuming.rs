//! The history: the place from which a stream resumes, and the verdicts.

use entity_stream_protocol::limits::RESUME_INTERVAL;
use entity_stream_protocol::{ErrorCode, NotRecovered, Position, Session};

use super::*;

fn bookmark(position: &str, session: &str) -> Bookmark {
    Bookmark { position: Position::parse(position).unwrap(), session: Session::parse(session).unwrap() }
}

/// The answer to the first `subscribe` of a connection.
pub(super) fn answered(position: &str, session: &str, verdict: &serde_json::Value) -> String {
    let mut answer =
        json!({ "type": "subscribed", "position": position, "session": session, "requestId": "subscribe" });
    answer.as_object_mut().unwrap().extend(verdict.as_object().cloned().unwrap_or_default());
    answer.to_string()
}

pub(super) fn recovered(replayed: u32) -> serde_json::Value {
    json!({ "recovered": true, "replayed": replayed })
}

pub(super) fn not_recovered(reason: &str) -> serde_json::Value {
    json!({ "recovered": false, "reason": reason })
}

pub(super) fn event_at(id: &str, position: &str, replayed: bool) -> String {
    let mut event: serde_json::Value = serde_json::from_str(&event(id)).unwrap();
    event["position"] = position.into();
    if replayed {
        event["replayed"] = true.into();
    }
    event.to_string()
}

fn frame_of(events: &[String]) -> String {
    format!(r#"{{"type":"events","events":[{}]}}"#, events.join(","))
}

/// A machine whose server keeps a history.
fn with_history() -> Driven {
    let mut driven = Driven::new(true);
    driven.elapse();
    driven.step(Input::Opened);
    let answered = driven.receive(&answered("05", "s", &json!(null)));
    assert!(matches!(answered.item, Some(Ok(StreamItem::Subscribed { .. }))));
    assert!(driven.items().is_empty(), "nothing was missed");
    driven
}

impl Driven {
    fn bookmark(&self) -> Option<&Bookmark> {
        self.machine.bookmark()
    }

    /// Loses the connection and opens the next one. Returns the first message.
    fn reconnect(&mut self) -> String {
        assert!(matches!(self.step(Input::Failed(lost())).item, Some(Ok(StreamItem::Disconnected { .. }))));
        self.elapse();
        sent(&self.step(Input::Opened))
    }

    /// Answers the first message, and returns the item after `Subscribed`.
    fn verdict(&mut self, frame: &str) -> Option<StreamItem> {
        assert!(matches!(self.receive(frame).item, Some(Ok(StreamItem::Subscribed { .. }))));
        let mut items = self.items();
        assert!(items.len() <= 1, "{items:?}");
        items.pop()
    }
}

#[test]
fn a_stream_keeps_the_greatest_position_that_it_has_seen() {
    let mut driven = Driven::new(true);
    driven.elapse();
    driven.step(Input::Opened);
    driven.receive(&event_at("0", "09", false));
    assert_eq!(driven.bookmark(), None, "the answer to subscribe is due");
    driven.receive(&answered("05", "s", &json!(null)));
    assert_eq!(driven.bookmark(), Some(&bookmark("05", "s")));
    for (frame, expected) in [
        (event_at("1", "07", false), "07"),
        (event_at("2", "06", false), "07"),
        (event("3"), "07"),
        (event_at("2", "08", false), "08"),
        (r#"{"type":"synced","position":"0a"}"#.to_owned(), "0a"),
        (r#"{"type":"synced","position":"09"}"#.to_owned(), "0a"),
    ] {
        driven.receive(&frame);
        assert_eq!(driven.bookmark(), Some(&bookmark(expected, "s")), "{frame}");
    }
}

#[test]
fn all_subscriptions_are_restored_from_the_bookmark_and_the_verdict_is_an_item() {
    let mut driven = with_history();
    driven.receive(&event_at("1", "07", false));
    driven.subscribe(&["map"]);
    driven.receive(r#"{"type":"subscribed","position":"08","session":"s","requestId":"request-1"}"#);
    let expected = r#"{"action":"subscribe","subscriptions":[{},{"subscription":"map"}],"since":{"position":"08","session":"s"},"requestId":"subscribe"}"#;
    assert_eq!(driven.reconnect(), expected);
    assert_eq!(driven.machine.url_subscriptions(driven.now), [], "nothing comes before the past events");

    // The replay repeats an event, and a live event comes in between.
    driven.receive(&frame_of(&[event_at("1", "07", true), event_at("2", "09", true)]));
    driven.receive(&event_at("4", "0c", false));
    driven.receive(&event_at("3", "0a", true));
    assert_eq!(driven.bookmark(), Some(&bookmark("08", "s")), "the answer is due");
    let verdict = driven.verdict(&answered("0b", "s2", &recovered(3)));
    assert!(matches!(verdict, Some(StreamItem::Recovered { replayed: 2 })), "{verdict:?}");
    assert_eq!(driven.bookmark(), Some(&bookmark("0b", "s2")));
    assert_eq!(driven.machine.repeats(), 1);
}

#[test]
fn the_position_stays_until_the_server_has_answered() {
    let mut driven = with_history();
    for _ in 0..3 {
        assert!(driven.reconnect().contains(r#""since":{"position":"05","session":"s"}"#));
        driven.receive(&event_at("1", "07", true));
    }
    driven.receive(&answered("04", "s", &recovered(1)));
    driven.items();
    assert_eq!(driven.bookmark(), Some(&bookmark("05", "s")), "two clocks of the server differ");
}

#[test]
fn the_position_stays_while_a_subscription_is_not_answered() {
    let mut driven = with_history();
    driven.subscribe(&["map"]);
    driven.receive(&event_at("1", "07", false));
    driven.receive(r#"{"type":"synced","position":"08"}"#);
    assert_eq!(driven.bookmark(), Some(&bookmark("05", "s")));
    driven.receive(r#"{"type":"subscribed","position":"06","session":"s","requestId":"request-1"}"#);
    assert_eq!(driven.bookmark(), Some(&bookmark("06", "s")));
    driven.receive(&event_at("2", "09", false));
    assert_eq!(driven.bookmark(), Some(&bookmark("09", "s")));
}

#[test]
fn a_verdict_has_its_reason_and_the_time_since_when_events_may_be_missed() {
    let heard = SystemTime::UNIX_EPOCH + Duration::from_secs(7);
    for (reason, expected) in [
        ("expired", NotRecovered::Expired),
        ("too_many", NotRecovered::TooMany),
        ("unknown_position", NotRecovered::UnknownPosition),
        ("unavailable", NotRecovered::Unavailable),
        ("later", NotRecovered::Other("later".to_owned())),
    ] {
        let mut driven = with_history();
        driven.step(Input::Received(event_at("1", "0f", false), heard));
        driven.reconnect();
        driven.receive(&event_at("2", "06", false));
        // A connection that is lost before the answer changes nothing.
        driven.reconnect();
        driven.receive(&answered("06", "t", &not_recovered(reason)));
        assert_eq!(driven.bookmark(), Some(&bookmark("0f", "s")), "the verdict is not handed out yet");
        let verdict = driven.items().pop();
        let Some(StreamItem::NotRecovered { reason, missed_since: Some(since) }) = verdict else {
            panic!("{verdict:?}")
        };
        assert_eq!((reason, since), (expected, heard));
        assert_eq!(driven.bookmark(), Some(&bookmark("06", "t")), "the loss is told");
    }
}

#[test]
fn without_a_history_a_reconnected_stream_may_have_missed_events() {
    let mut driven = Driven::streaming();
    assert_eq!(driven.bookmark(), None);
    let expected = r#"{"action":"subscribe","requestId":"subscribe"}"#;
    assert_eq!(driven.reconnect(), expected);
    assert_eq!(driven.machine.url_subscriptions(driven.now), [Subscription::default()]);
    let verdict = driven.verdict(&subscribed());
    let unavailable =
        StreamItem::NotRecovered { reason: NotRecovered::Unavailable, missed_since: Some(SystemTime::UNIX_EPOCH) };
    assert_eq!(format!("{verdict:?}"), format!("{:?}", Some(&unavailable)));

    // The history is switched off, or the server is an older one.
    let mut driven = with_history();
    assert!(driven.reconnect().contains("since"));
    assert_eq!(format!("{:?}", driven.verdict(&subscribed())), format!("{:?}", Some(unavailable)));
    assert_eq!(driven.bookmark(), None);
    assert!(!driven.reconnect().contains("since"));
}

#[test]
fn a_quiet_stream_asks_for_a_position_and_a_server_without_history_for_a_ping() {
    let mut driven = with_history();
    assert_eq!(sent(&driven.elapse()), r#"{"action":"sync"}"#);
    driven.receive(r#"{"type":"synced","position":"0a"}"#);
    assert_eq!(driven.bookmark(), Some(&bookmark("0a", "s")));
    for code in ["not_available", "unknown_action"] {
        let mut driven = with_history();
        driven.elapse();
        let refused = json!({ "type": "error", "code": code, "message": "no", "action": "sync" }).to_string();
        assert!(driven.receive(&refused).item.is_none());
        assert_eq!(sent(&driven.elapse()), r#"{"action":"ping"}"#);
    }
    let mut driven = with_history();
    driven.elapse();
    driven.receive(&json!({ "type": "error", "code": "not_connected", "message": "no", "action": "sync" }).to_string());
    assert!(matches!(driven.machine.state(), StreamState::Waiting { .. }));
    let mut driven = with_history();
    driven.elapse();
    let unanswered = driven.elapse().item;
    assert!(matches!(unanswered, Some(Ok(StreamItem::Disconnected { error: ClientError::Timeout(PONG), .. }))));
}

#[test]
fn a_second_request_for_past_events_waits_and_keeps_the_position() {
    let mut driven = with_history();
    driven.reconnect();
    let too_soon = driven.receive(&rejection("limit_exceeded", Some("subscribe")));
    let Some(Ok(StreamItem::Disconnected { error: error @ ClientError::TooSoon(_), retry_in, .. })) = too_soon.item
    else {
        panic!("{too_soon:?}")
    };
    assert!(error.is_temporary() && retry_in >= RESUME_INTERVAL);
    driven.elapse();
    assert!(sent(&driven.step(Input::Opened)).contains(r#""since":{"position":"05","session":"s"}"#));
    // It was another limit.
    let refused = driven.receive(&rejection("limit_exceeded", Some("subscribe")));
    assert!(matches!(refused.item, Some(Err(ClientError::Rejected { code: ErrorCode::LimitExceeded, .. }))));
}

#[test]
fn a_stream_begins_at_a_bookmark_of_another() {
    let mut driven = Driven::since(bookmark("03", "s"));
    assert_eq!(driven.machine.url_subscriptions(driven.now), []);
    driven.elapse();
    let expected = r#"{"action":"subscribe","since":{"position":"03","session":"s"},"requestId":"subscribe"}"#;
    assert_eq!(sent(&driven.step(Input::Opened)), expected);
    let verdict = driven.verdict(&answered("05", "s", &not_recovered("expired")));
    assert!(matches!(verdict, Some(StreamItem::NotRecovered { reason: NotRecovered::Expired, missed_since: None })));
    assert_eq!(driven.bookmark(), Some(&bookmark("05", "s")));
}

#[test]
fn a_rewind_reaches_back_to_before_the_first_attempt() {
    let mut driven = Driven::since(Since::Seconds { seconds: 30 });
    driven.elapse();
    driven.step(Input::Opened);
    driven.now += Duration::from_secs(9);
    let message = driven.reconnect();
    let seconds: serde_json::Value = serde_json::from_str(&message).unwrap();
    assert!((39..=42).contains(&seconds["since"]["seconds"].as_u64().unwrap()), "{message}");
    driven.receive(&event_at("1", "01", true));
    let verdict = driven.verdict(&answered("05", "s", &recovered(1)));
    assert!(matches!(verdict, Some(StreamItem::Recovered { replayed: 1 })));
    assert!(driven.reconnect().contains(r#""since":{"position":"05","session":"s"}"#));
}

#[test]
fn a_stream_without_subscriptions_misses_nothing() {
    let mut driven = with_history();
    driven.step(Input::Request(SubscriptionRequest::Unsubscribe(SubscriptionName::DEFAULT)));
    driven.receive(&answer("unsubscribed", "request-1"));
    assert!(driven.step(Input::Failed(lost())).item.is_none());
    assert_eq!(driven.bookmark(), None);
    driven.subscribe(&["map"]);
    driven.elapse();
    let first = sent(&driven.step(Input::Opened));
    assert_eq!(first, r#"{"action":"subscribe","subscription":"map","requestId":"subscribe"}"#);
    assert!(driven.verdict(&answered("09", "t", &json!(null))).is_none());
}

#[test]
fn an_exchange_that_may_have_missed_events_is_told() {
    let mut driven = with_history();
    driven.subscribe(&["map"]);
    let accepted = driven.receive(
        r#"{"type":"subscribed","position":"06","session":"s","recovered":false,"reason":"too_many","requestId":"request-1"}"#,
    );
    assert!(matches!(accepted.item, Some(Ok(StreamItem::Accepted(_)))));
    let items = driven.items();
    assert!(
        matches!(items[..], [StreamItem::NotRecovered { reason: NotRecovered::TooMany, missed_since: None }]),
        "{items:?}"
    );
}

#[test]
fn each_entry_of_a_frame_is_an_item_and_moves_the_bookmark_when_it_is_handed_out() {
    let mut driven = with_history();
    let entries: Vec<_> = (6..9).map(|number| event_at(&number.to_string(), &format!("0{number}"), false)).collect();
    let spaced = frame_of(&entries).replace("},{", "}, \n{");
    let now = driven.now;
    driven.machine.step(Input::Received(spaced, SystemTime::UNIX_EPOCH), now);
    assert_eq!(driven.bookmark(), Some(&bookmark("05", "s")));
    for (number, entry) in (6..9).zip(entries) {
        let item = driven.machine.next_item();
        let Some(Ok(StreamItem::Event(event))) = item else { panic!("{item:?}") };
        assert_eq!(event.frame(), entry);
        assert_eq!(driven.bookmark(), Some(&bookmark(&format!("0{number}"), "s")));
    }
    assert!(driven.machine.next_item().is_none());
}

/// The place from which a stream resumes is one for all subscriptions. A new one gets nothing from before it was made, and one that
/// takes another one's place gets what that one missed.
#[test]
fn a_subscription_that_was_added_meanwhile_gets_no_past_events() {
    let mut driven = with_history();
    driven.subscribe(&["old"]);
    driven.receive(&answer("subscribed", "request-1"));
    driven.items();
    driven.step(Input::Failed(lost()));
    driven.subscribe(&["new"]);
    driven.step(Input::Request(SubscriptionRequest::Replace {
        old: "old".parse().unwrap(),
        new: Box::new(named("place")),
        has_snapshot: false,
    }));
    driven.elapse();
    driven.step(Input::Opened);
    let of = |id: &str, names: &[&str], replayed: bool| {
        let mut event: serde_json::Value = serde_json::from_str(&event_at(id, "07", replayed)).unwrap();
        event["subscriptions"] = json!(names);
        event.to_string()
    };
    driven.items();
    for (names, replayed, is_shown) in
        [(&["new"][..], true, false), (&["new"], false, true), (&["place"], true, true), (&["", "new"], true, true)]
    {
        let id = format!("{names:?}{replayed}");
        assert_eq!(driven.receive(&of(&id, names, replayed)).item.is_some(), is_shown, "{id}");
    }
    driven.receive(&answered("08", "s", &recovered(3)));
    let verdict = driven.items();
    assert!(verdict.iter().any(|item| matches!(item, StreamItem::Recovered { replayed: 2 })), "{verdict:?}");
    assert!(driven.receive(&of("later", &["new"], true)).item.is_some(), "an exchange may replay its moment");
}
