//! The state machine of one stream, without I/O and without a clock.
//!
//! [`Machine::step`] takes an input and the time, changes the state, and returns the frame to send and the item to hand
//! out. The driver derives everything else from the state: it holds a connection in `Subscribing` and `Streaming`, opens
//! one in `Connecting`, and drops it in `Waiting` and `Closed`.
//!
//! Invariants:
//! - Every state but `Closed` has a deadline. A stream never waits for ever.
//! - A step at the deadline moves the deadline into the future or closes the stream. A driver that sleeps until the
//!   deadline never spins.
//! - No input leaves `Closed`, and a stream hands out one error at most, which is the last item.
//! - An event whose id is known is not handed out again.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use entity_stream_protocol::{
    Action, Answer, ClientMessage, CloudEvent, ErrorCode, Filter, Rejection, RequestId, ServerMessage,
};
use tokio::time::Instant;

use crate::error::ClientError;
use crate::event::ReceivedEvent;
use crate::item::StreamItem;
use crate::seen::SeenEvents;
use crate::state::StreamState;
use crate::text::repeatable;

/// The time that name resolution, TCP, TLS and the handshake may take. API Gateway holds a handshake for 29 seconds at
/// most.
const CONNECT: Duration = Duration::from_secs(40);
/// The time that the server may take to answer.
const ANSWER: Duration = Duration::from_secs(30);
/// The time between two pings. API Gateway closes a connection that is silent for twice as long.
const PING: Duration = Duration::from_secs(5 * 60);
/// A connection that was subscribed for this long was stable: the next delay is the shortest again.
const STABLE: Duration = Duration::from_secs(60);
/// The delays before the client connects again. The jitter adds up to as much again, so they are 0.5 to 30 seconds.
const DELAYS: ExponentialBuilder = ExponentialBuilder::new()
    .with_jitter()
    .with_min_delay(Duration::from_millis(500))
    .with_max_delay(LONGEST_DELAY)
    .without_max_times();
/// The longest delay without its jitter.
const LONGEST_DELAY: Duration = Duration::from_secs(15);
/// The number of events that are remembered to drop repeats: minutes of a busy stream.
const REMEMBERED_EVENTS: usize = 10_000;
/// The `requestId` of the one request that a connection makes.
const REQUEST_ID: &str = "subscribe";

/// An input of the machine.
#[derive(Debug)]
pub(crate) enum Input {
    /// The connection is open.
    Opened,
    /// The attempt to connect, or the connection, failed.
    Failed(ClientError),
    /// The server sent a text frame.
    Received(String),
    /// The deadline has passed.
    Elapsed,
    /// The program wants a sign of life.
    Ping(RequestId),
    /// The program wants no more.
    Close,
}

/// The effects of a step. The default is none.
#[derive(Debug, Default)]
pub(crate) struct Effects {
    /// The frame to send.
    pub(crate) send: Option<ClientMessage>,
    /// The item to hand out.
    pub(crate) item: Option<Result<StreamItem, ClientError>>,
}

impl Effects {
    fn send(action: Action, request_id: Option<RequestId>) -> Self {
        Self { send: Some(ClientMessage { action, request_id }), item: None }
    }

    fn item(item: StreamItem) -> Self {
        Self { send: None, item: Some(Ok(item)) }
    }
}

/// The state machine of one stream.
#[derive(Debug)]
pub(crate) struct Machine {
    state: StreamState,
    filter: Filter,
    /// True if the URL holds the filter, so that every event of the connection matches.
    url_holds_filter: bool,
    reconnects: bool,
    delays: ExponentialBuilder,
    next_delays: ExponentialBackoff,
    seen: SeenEvents,
    repeats: u64,
    /// True if the program waits for the answer to its own ping.
    program_pinged: bool,
}

impl Machine {
    /// A stream that opens its first connection as soon as it is driven.
    pub(crate) fn new(filter: Filter, url_holds_filter: bool, reconnects: bool, now: Instant) -> Self {
        Self::with_delays(filter, url_holds_filter, reconnects, DELAYS, now)
    }

    fn with_delays(
        filter: Filter,
        url_holds_filter: bool,
        reconnects: bool,
        delays: ExponentialBuilder,
        now: Instant,
    ) -> Self {
        Self {
            state: StreamState::Waiting { until: now },
            filter,
            url_holds_filter,
            reconnects,
            delays,
            next_delays: delays.build(),
            seen: SeenEvents::new(REMEMBERED_EVENTS),
            repeats: 0,
            program_pinged: false,
        }
    }

    /// The state.
    pub(crate) fn state(&self) -> StreamState {
        self.state
    }

    /// The number of repeated events that were dropped.
    pub(crate) fn repeats(&self) -> u64 {
        self.repeats
    }

    /// Takes an input. An input that does not fit the state has no effect.
    pub(crate) fn step(&mut self, input: Input, now: Instant) -> Effects {
        match (input, self.state) {
            (_, StreamState::Closed) => Effects::default(),
            (Input::Close, _) => {
                self.state = StreamState::Closed;
                Effects::default()
            }
            (Input::Opened, StreamState::Connecting { .. }) => {
                self.state = StreamState::Subscribing { until: now + ANSWER };
                let subscribe = Action::Subscribe(self.filter.clone());
                let effects = Effects::send(subscribe, RequestId::parse(REQUEST_ID).ok());
                Effects { item: Some(Ok(StreamItem::Connected)), ..effects }
            }
            (
                Input::Failed(error),
                StreamState::Connecting { .. } | StreamState::Subscribing { .. } | StreamState::Streaming { .. },
            ) => self.disconnect(error, now),
            (Input::Received(frame), StreamState::Subscribing { .. } | StreamState::Streaming { .. }) => {
                self.receive(frame, now)
            }
            (Input::Ping(request_id), StreamState::Streaming { since, answer_by, .. }) => {
                self.program_pinged = true;
                let answer_by = answer_by.or(Some(now + ANSWER));
                self.state = StreamState::Streaming { since, ping_at: now + PING, answer_by };
                Effects::send(Action::Ping, Some(request_id))
            }
            (Input::Elapsed, _) if self.state.deadline().is_some_and(|deadline| now >= deadline) => self.elapse(now),
            (Input::Opened | Input::Failed(_) | Input::Received(_) | Input::Elapsed | Input::Ping(_), _) => {
                Effects::default()
            }
        }
    }

    fn elapse(&mut self, now: Instant) -> Effects {
        match &mut self.state {
            StreamState::Connecting { .. } => self.disconnect(ClientError::Timeout(CONNECT), now),
            StreamState::Subscribing { .. } | StreamState::Streaming { answer_by: Some(_), .. } => {
                self.disconnect(ClientError::Timeout(ANSWER), now)
            }
            StreamState::Streaming { ping_at, answer_by, .. } => {
                (*ping_at, *answer_by) = (now + PING, Some(now + ANSWER));
                Effects::send(Action::Ping, None)
            }
            StreamState::Waiting { .. } => {
                self.state = StreamState::Connecting { until: now + CONNECT };
                Effects::default()
            }
            StreamState::Closed => Effects::default(),
        }
    }

    fn receive(&mut self, frame: String, now: Instant) -> Effects {
        let is_subscribed = match &mut self.state {
            StreamState::Streaming { answer_by, .. } => {
                // Any frame shows that the server is there.
                *answer_by = None;
                true
            }
            _ => false,
        };
        let Ok(message) = ServerMessage::parse(&frame) else {
            // The parser's error may repeat a value of an entity.
            let notice = "the server sent a frame that is not a message of the contract";
            return Effects::item(StreamItem::Notice(notice.to_owned()));
        };
        match message {
            ServerMessage::Event(_) | ServerMessage::CloudEvent(_) if !is_subscribed && !self.url_holds_filter => {
                Effects::default()
            }
            ServerMessage::Event(event) | ServerMessage::CloudEvent(CloudEvent { data: event, .. }) => {
                if !self.seen.insert(&event.id) {
                    self.repeats += 1;
                    return Effects::default();
                }
                let message = event.into_owned();
                Effects::item(StreamItem::Event(Box::new(ReceivedEvent::new(frame, message))))
            }
            ServerMessage::Answer(Answer::Subscribed { request_id, .. }) if !is_subscribed && is_ours(&request_id) => {
                self.state = StreamState::Streaming { since: now, ping_at: now + PING, answer_by: None };
                Effects::item(StreamItem::Subscribed)
            }
            ServerMessage::Answer(Answer::Pong { request_id }) if self.program_pinged => {
                self.program_pinged = false;
                Effects::item(StreamItem::Pong { request_id })
            }
            ServerMessage::Answer(Answer::Error(rejection)) => self.rejected(rejection, is_subscribed, now),
            ServerMessage::GatewayError(error) if is_subscribed => {
                Effects::item(StreamItem::Notice(format!("the gateway says: {}", repeatable(&error.message))))
            }
            ServerMessage::GatewayError(error) => {
                self.disconnect(ClientError::Gateway(repeatable(&error.message)), now)
            }
            ServerMessage::Answer(_) | ServerMessage::Other(_) => Effects::default(),
        }
    }

    fn rejected(&mut self, rejection: Rejection, is_subscribed: bool, now: Instant) -> Effects {
        let Rejection { code, message, request_id, .. } = rejection;
        let message = repeatable(&message);
        if is_subscribed && request_id.is_none() && code != ErrorCode::NotConnected {
            return Effects::item(StreamItem::Notice(format!("the server says: {message}")));
        }
        self.disconnect(ClientError::Rejected { code, message }, now)
    }

    /// Ends the connection: for ever if the error is permanent, else until the next attempt.
    fn disconnect(&mut self, error: ClientError, now: Instant) -> Effects {
        self.program_pinged = false;
        if !self.reconnects || !error.is_temporary() {
            self.state = StreamState::Closed;
            return Effects { send: None, item: Some(Err(error)) };
        }
        let subscribed_since = match self.state {
            StreamState::Streaming { since, .. } => Some(since),
            _ => None,
        };
        if subscribed_since.is_some_and(|since| now - since >= STABLE) {
            self.next_delays = self.delays.build();
        }
        // The delays do not end.
        let retry_in = self.next_delays.next().unwrap_or(LONGEST_DELAY);
        self.state = StreamState::Waiting { until: now + retry_in };
        Effects::item(StreamItem::Disconnected { error, retry_in, was_subscribed: subscribed_since.is_some() })
    }
}

fn is_ours(request_id: &Option<RequestId>) -> bool {
    request_id.as_ref().map(RequestId::as_str) == Some(REQUEST_ID)
}

#[cfg(test)]
mod tests;
