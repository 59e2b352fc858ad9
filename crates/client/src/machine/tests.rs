mod happenings;
mod idling;
mod model;
mod past_events;
mod removals;
mod requests;
mod resuming;
mod rotating;
mod snapshot_model;
mod snapshots;
mod tokens;

use std::time::SystemTime;

use entity_stream_protocol::{CloseCode, SubscriptionName};
use serde_json::json;

use super::*;
use crate::error::HandshakeRefusal;
use crate::timing::StreamTiming;

const ANSWER: Duration = StreamTiming::DEFAULT.answer;
const PING: Duration = StreamTiming::DEFAULT.ping;
const PONG: Duration = StreamTiming::DEFAULT.pong;
const STABLE: Duration = StreamTiming::DEFAULT.stable;

fn conduct(reconnects: bool) -> StreamConduct {
    StreamConduct { reconnects, is_member: false, has_token_source: false, timing: StreamTiming::DEFAULT }
}

/// The effects of a step. Further items wait in the machine.
#[derive(Debug)]
struct Effects {
    send: Option<ClientMessage>,
    item: Option<Result<StreamItem, ClientError>>,
}

/// A machine and its clock. Each input arrives a millisecond after the one before.
struct Driven {
    machine: Machine,
    now: Instant,
}

impl Driven {
    fn new(reconnects: bool) -> Self {
        Self::with(vec![Subscription::default()], reconnects)
    }

    fn with(subscriptions: Vec<Subscription>, reconnects: bool) -> Self {
        let now = Instant::now();
        Self { machine: Machine::new(subscriptions, None, conduct(reconnects), now), now }
    }

    /// A machine that begins at this place in the history.
    fn since(since: impl Into<Since>) -> Self {
        let now = Instant::now();
        let subscriptions = vec![Subscription::default()];
        Self { machine: Machine::new(subscriptions, Some(since.into()), conduct(true), now), now }
    }

    /// A machine that has subscribed.
    fn streaming() -> Self {
        let mut driven = Self::new(true);
        driven.elapse();
        driven.step(Input::Opened);
        driven.receive(&subscribed());
        assert!(matches!(driven.machine.state(), StreamState::Streaming { .. }));
        driven
    }

    fn step(&mut self, input: Input) -> Effects {
        self.now += Duration::from_millis(1);
        let send = self.machine.step(input, self.now);
        Effects { send, item: self.machine.next_item() }
    }

    fn receive(&mut self, frame: &str) -> Effects {
        self.step(Input::Received(frame.to_owned(), SystemTime::UNIX_EPOCH))
    }

    /// The items that wait.
    fn items(&mut self) -> Vec<StreamItem> {
        std::iter::from_fn(|| self.machine.next_item()).map(Result::unwrap).collect()
    }

    fn subscribe(&mut self, names: &[&str]) -> Effects {
        self.step(Input::Request(SubscriptionRequest::Subscribe(names.iter().map(|name| named(name)).collect())))
    }

    /// Lets the time pass to the deadline.
    fn elapse(&mut self) -> Effects {
        self.now = self.machine.state().deadline().unwrap().max(self.now);
        let send = self.machine.step(Input::Elapsed, self.now);
        Effects { send, item: self.machine.next_item() }
    }

    /// Subscribes, if the machine waits, and loses the connection after a time. Returns the delay.
    fn lose_after(&mut self, time: Duration) -> Duration {
        while !matches!(self.machine.state(), StreamState::Connecting { .. }) {
            self.elapse();
        }
        self.step(Input::Opened);
        self.receive(&subscribed());
        self.items();
        self.now += time;
        let effects = self.step(Input::Failed(lost()));
        let Some(Ok(StreamItem::Disconnected { retry_in, was_subscribed: true, .. })) = effects.item else {
            panic!("{effects:?}")
        };
        retry_in
    }
}

fn named(name: &str) -> Subscription {
    Subscription { name: name.parse().unwrap(), ..Subscription::default() }
}

fn name(name: &str) -> SubscriptionName {
    name.parse().unwrap()
}

fn sent(effects: &Effects) -> String {
    effects.send.as_ref().map(ClientMessage::to_json).unwrap_or_default()
}

fn answer(message: &str, request_id: &str) -> String {
    json!({ "type": message, "requestId": request_id }).to_string()
}

fn subscribed() -> String {
    json!({ "type": "subscribed", "requestId": "subscribe" }).to_string()
}

fn event(id: &str) -> String {
    json!({ "type": "entityUpdated", "id": id, "tenant": "demo", "servicePath": "/", "entityId": "urn:1",
        "entityType": "Room", "data": {}, "timestamp": "2026-01-02T03:04:05Z" })
    .to_string()
}

fn rejection(code: &str, request_id: Option<&str>) -> String {
    let mut frame = json!({ "type": "error", "code": code, "message": "no" });
    if let Some(id) = request_id {
        frame["requestId"] = id.into();
    }
    frame.to_string()
}

fn gateway_error() -> String {
    json!({ "message": "Internal server error", "connectionId": "c", "requestId": "r" }).to_string()
}

fn lost() -> ClientError {
    ClientError::Closed { code: CloseCode::GoingAway, reason: String::new() }
}

fn refused() -> ClientError {
    HandshakeRefusal { status: 401, reason: String::new(), by_gateway: false }.into()
}

#[test]
fn the_program_gets_the_answer_to_its_own_ping() {
    let mut driven = Driven::streaming();
    let id = RequestId::parse("7").unwrap();
    let effects = driven.step(Input::Ping(id.clone()));
    assert_eq!(effects.send.unwrap().to_json(), r#"{"action":"ping","requestId":"7"}"#);
    let answered = driven.receive(r#"{"type":"pong","requestId":"7"}"#).item;
    assert!(matches!(&answered, Some(Ok(StreamItem::Pong { request_id })) if request_id.as_ref() == Some(&id)));
    // A gateway that answers by itself may leave the id out.
    driven.step(Input::Ping(id.clone()));
    let answered = driven.receive(r#"{"type":"pong"}"#).item;
    assert!(matches!(answered, Some(Ok(StreamItem::Pong { request_id: None }))));
    assert!(driven.receive(r#"{"type":"pong"}"#).item.is_none());
    driven.step(Input::Ping(id));
    let unanswered = driven.elapse().item;
    assert!(matches!(unanswered, Some(Ok(StreamItem::Disconnected { error: ClientError::Timeout(PONG), .. }))));
}

#[test]
fn a_ping_is_sent_every_five_minutes_and_has_to_be_answered() {
    let mut driven = Driven::streaming();
    for _ in 0..3 {
        let before = driven.now;
        let effects = driven.elapse();
        // The answer to the last ping came a millisecond after it.
        let latest = PING + Duration::from_millis(1);
        assert!((PING..=latest).contains(&(driven.now - before + Duration::from_millis(1))), "{before:?}");
        assert_eq!(effects.send.unwrap().to_json(), r#"{"action":"ping"}"#);
        assert!(driven.receive(r#"{"type":"pong"}"#).item.is_none());
    }
    let ping = driven.elapse();
    assert!(ping.send.is_some());
    let before = driven.now;
    let effects = driven.elapse();
    assert_eq!(driven.now - before, PONG);
    let Some(Ok(StreamItem::Disconnected { error: ClientError::Timeout(PONG), was_subscribed: true, .. })) =
        effects.item
    else {
        panic!("{effects:?}")
    };
}

#[test]
fn only_the_answer_to_its_own_subscribe_is_a_subscription() {
    let mut driven = Driven::new(true);
    driven.elapse();
    let effects = driven.step(Input::Opened);
    assert_eq!(effects.send.unwrap().to_json(), r#"{"action":"subscribe","requestId":"subscribe"}"#);
    let deadline = driven.machine.state().deadline();
    driven.receive(&event("1"));
    driven.receive(r#"{"type":"subscribed","requestId":"other"}"#);
    driven.receive(r#"{"type":"subscribed"}"#);
    assert_eq!(driven.machine.state().deadline(), deadline, "the answer is still due");
    let effects = driven.elapse();
    assert!(matches!(
        effects.item,
        Some(Ok(StreamItem::Disconnected { error: ClientError::Timeout(ANSWER), was_subscribed: false, .. }))
    ));
}

#[test]
fn the_delay_grows_until_a_connection_was_stable() {
    let longest_of = |driven: &mut Driven, time: Duration| (0..50).map(|_| driven.lose_after(time)).max().unwrap();
    let mut driven = Driven::new(true);
    assert!(driven.lose_after(STABLE) <= Duration::from_millis(500));
    assert!(longest_of(&mut driven, STABLE - Duration::from_millis(10)) > Duration::from_secs(15));
    assert!(longest_of(&mut driven, STABLE) <= Duration::from_millis(500));
}

#[test]
fn a_permanent_error_ends_the_stream_and_so_does_any_without_reconnecting() {
    for (reconnects, error) in [(true, refused()), (false, lost()), (false, refused())] {
        let mut driven = Driven::new(reconnects);
        driven.elapse();
        let effects = driven.step(Input::Failed(error));
        assert!(matches!(effects.item, Some(Err(_))), "{effects:?}");
        assert_eq!(driven.machine.state(), StreamState::Closed);
    }
}

#[test]
fn a_rejection_of_subscribe_is_judged_by_its_code() {
    for (code, ends) in [
        ("invalid_id_pattern", true),
        ("unauthorized", true),
        ("limit_exceeded", true),
        ("internal", false),
        ("not_connected", false),
    ] {
        let mut driven = Driven::new(true);
        driven.elapse();
        driven.step(Input::Opened);
        driven.receive(&rejection(code, Some("subscribe")));
        assert_eq!(driven.machine.state() == StreamState::Closed, ends, "{code}");
        assert_eq!(matches!(driven.machine.state(), StreamState::Waiting { .. }), !ends, "{code}");
    }
}

#[test]
fn a_frame_without_effect_is_a_notice() {
    for (frame, notice) in [
        (rejection("internal", None), "the server says: no"),
        (gateway_error(), "the gateway says: Internal server error"),
        ("no JSON".to_owned(), "the server sent a frame that is not a message of the contract"),
        (
            event("1").replace("demo", "").replace("tenant", "x"),
            "the server sent a frame that is not a message of the contract",
        ),
    ] {
        let mut driven = Driven::streaming();
        let effects = driven.receive(&frame);
        assert!(matches!(&effects.item, Some(Ok(StreamItem::Notice(text))) if text == notice), "{effects:?}");
        assert!(matches!(driven.machine.state(), StreamState::Streaming { .. }));
    }
    let mut driven = Driven::streaming();
    assert!(driven.receive(r#"{"type":"newer"}"#).item.is_none());
    // The server forgot the connection, so that nothing is delivered any more.
    driven.receive(&rejection("not_connected", None));
    assert!(matches!(driven.machine.state(), StreamState::Waiting { .. }));
}

#[test]
fn the_gateways_error_before_the_subscription_ends_the_connection() {
    let mut driven = Driven::new(true);
    driven.elapse();
    driven.step(Input::Opened);
    let effects = driven.receive(&gateway_error());
    assert!(matches!(
        effects.item,
        Some(Ok(StreamItem::Disconnected { error: ClientError::Gateway(_), was_subscribed: false, .. }))
    ));
}

#[test]
fn an_event_before_the_subscription_counts() {
    let mut driven = Driven::new(true);
    driven.elapse();
    driven.step(Input::Opened);
    assert!(matches!(driven.receive(&event("1")).item, Some(Ok(StreamItem::Event(_)))));
    driven.receive(&subscribed());
    assert!(driven.receive(&event("1")).item.is_none());
    assert_eq!(driven.machine.repeats(), 1);
}
