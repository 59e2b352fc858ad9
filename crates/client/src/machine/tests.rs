use entity_stream_protocol::CloseCode;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::error::HandshakeRefusal;

/// A machine and its clock. Each input arrives a millisecond after the one before.
struct Driven {
    machine: Machine,
    now: Instant,
}

impl Driven {
    fn new(reconnects: bool) -> Self {
        let now = Instant::now();
        Self { machine: Machine::new(Filter::default(), true, reconnects, now), now }
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
        self.machine.step(input, self.now)
    }

    fn receive(&mut self, frame: &str) -> Effects {
        self.step(Input::Received(frame.to_owned()))
    }

    /// Lets the time pass to the deadline.
    fn elapse(&mut self) -> Effects {
        self.now = self.machine.state().deadline().unwrap().max(self.now);
        self.machine.step(Input::Elapsed, self.now)
    }

    /// Subscribes, if the machine waits, and loses the connection after a time. Returns the delay.
    fn lose_after(&mut self, time: Duration) -> Duration {
        while !matches!(self.machine.state(), StreamState::Connecting { .. }) {
            self.elapse();
        }
        self.step(Input::Opened);
        self.receive(&subscribed());
        self.now += time;
        let effects = self.step(Input::Failed(lost()));
        let Some(Ok(StreamItem::Disconnected { retry_in, was_subscribed: true, .. })) = effects.item else {
            panic!("{effects:?}")
        };
        retry_in
    }
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
    assert!(matches!(unanswered, Some(Ok(StreamItem::Disconnected { error: ClientError::Timeout(ANSWER), .. }))));
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
    assert_eq!(driven.now - before, ANSWER);
    let Some(Ok(StreamItem::Disconnected { error: ClientError::Timeout(ANSWER), was_subscribed: true, .. })) =
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
    let mut driven = Driven::new(true);
    let mut delays: Vec<Duration> = (0..8).map(|_| driven.lose_after(STABLE - Duration::from_millis(10))).collect();
    let shortest = Duration::from_millis(500);
    for (delay, doubled) in delays.drain(..).zip([1, 2, 4, 8, 16, 30, 30, 30]) {
        let least = shortest * doubled;
        assert!((least..=2 * least).contains(&delay), "{delay:?}, not {least:?} to twice that");
    }
    assert!(driven.lose_after(STABLE) <= 2 * shortest);
    assert!(driven.lose_after(Duration::ZERO) >= 2 * shortest, "a short connection lets it grow again");
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
fn an_event_before_the_subscription_counts_only_if_the_url_holds_the_filter() {
    for url_holds_filter in [true, false] {
        let now = Instant::now();
        let mut machine = Machine::new(Filter::default(), url_holds_filter, true, now);
        machine.step(Input::Elapsed, now);
        machine.step(Input::Opened, now);
        let early = machine.step(Input::Received(event("1")), now);
        assert_eq!(matches!(early.item, Some(Ok(StreamItem::Event(_)))), url_holds_filter);
        machine.step(Input::Received(subscribed()), now);
        let late = machine.step(Input::Received(event("1")), now);
        assert_eq!(matches!(late.item, Some(Ok(StreamItem::Event(_)))), !url_holds_filter);
        assert_eq!(machine.repeats(), u64::from(url_holds_filter));
    }
}

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
        1 => any::<String>(),
    ];
    let happening = prop_oneof![
        6 => Just(Happening::Opened),
        4 => Just(Happening::FailedForNow),
        1 => Just(Happening::FailedForGood),
        12 => frames.prop_map(Happening::Received),
        1 => Just(Happening::WokenEarly),
        1 => Just(Happening::Pinged),
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
        | (Subscribing { .. }, Streaming { .. } | Waiting { .. })
        | (Streaming { .. }, Waiting { .. }) => true,
        (Streaming { since, .. }, Streaming { since: same, .. }) => since == same,
        _ => false,
    }
}

proptest! {
    #[test]
    fn no_sequence_of_happenings_breaks_an_invariant(happenings in happenings(), reconnects: bool, seed: u64) {
        let mut now = Instant::now();
        let delays = DELAYS.with_jitter_seed(seed);
        let mut machine = Machine::with_delays(Filter::default(), true, reconnects, delays, now);
        let mut ids = std::collections::HashSet::new();
        let mut ended = false;
        for happening in happenings {
            let before = machine.state();
            let at_deadline = matches!(happening, Happening::Deadline);
            let input = match happening {
                Happening::Opened => Input::Opened,
                Happening::FailedForNow => Input::Failed(lost()),
                Happening::FailedForGood => Input::Failed(refused()),
                Happening::Received(frame) => Input::Received(frame),
                Happening::WokenEarly => Input::Elapsed,
                Happening::Pinged => Input::Ping(RequestId::parse("7").unwrap()),
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
            let Effects { send, item } = machine.step(input, now);
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
            prop_assert!(!ended || item.is_none(), "an item after the end");
            ended |= after == StreamState::Closed;
            match item {
                Some(Err(_)) => prop_assert!(ended),
                Some(Ok(StreamItem::Event(event))) => {
                    prop_assert!(ids.insert(event.message().id.clone()), "an event came twice");
                }
                Some(Ok(StreamItem::Disconnected { error, retry_in, was_subscribed })) => {
                    prop_assert!(reconnects && error.is_temporary());
                    prop_assert!((Duration::from_millis(500)..=Duration::from_secs(30)).contains(&retry_in));
                    prop_assert_eq!(after, StreamState::Waiting { until: now + retry_in });
                    prop_assert_eq!(was_subscribed, matches!(before, StreamState::Streaming { .. }));
                }
                Some(Ok(_)) | None => {}
            }
        }
    }

    /// A server that never answers keeps a driver that does nothing but wait in a slow, endless round of attempts.
    #[test]
    fn without_a_server_the_attempts_go_on_at_a_bounded_rate(seed: u64) {
        let start = Instant::now();
        let delays = DELAYS.with_jitter_seed(seed);
        let mut machine = Machine::with_delays(Filter::default(), true, true, delays, start);
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
