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
//! - An event is not handed out again for the same subscriptions.
//! - A request about subscriptions that the server refuses never ends a stream that reconnects.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use entity_stream_protocol::{Action, ClientMessage, RequestId, Subscription};
use tokio::time::Instant;

use crate::error::{ClientError, ErrorKind};
use crate::item::StreamItem;
use crate::seen::SeenEvents;
use crate::state::StreamState;
use crate::subscription_limits::{InvalidSubscriptions, subscribe};
use crate::subscription_request::SubscriptionRequest;
use crate::subscription_set::SubscriptionSet;

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
/// The number of events, once for each subscription that they match, that are remembered to drop repeats: minutes of a busy
/// stream.
const REMEMBERED_EVENTS: usize = 20_000;
/// The `requestId` of the first message of a connection.
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
    /// The program wants other subscriptions.
    Request(SubscriptionRequest),
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
    subscriptions: SubscriptionSet,
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
    pub(crate) fn new(subscriptions: Vec<Subscription>, reconnects: bool, now: Instant) -> Self {
        Self::with_delays(subscriptions, reconnects, DELAYS, now)
    }

    fn with_delays(
        subscriptions: Vec<Subscription>,
        reconnects: bool,
        delays: ExponentialBuilder,
        now: Instant,
    ) -> Self {
        Self {
            state: StreamState::Waiting { until: now },
            subscriptions: SubscriptionSet::new(subscriptions),
            reconnects,
            delays,
            next_delays: delays.build(),
            seen: SeenEvents::new(REMEMBERED_EVENTS),
            repeats: 0,
            program_pinged: false,
        }
    }

    /// The subscriptions with which the connection opens.
    pub(crate) fn subscriptions(&self) -> Vec<Subscription> {
        self.subscriptions.at_opening()
    }

    /// Returns whether a request about subscriptions is possible. See [`SubscriptionSet::check`].
    pub(crate) fn check(&self, request: &SubscriptionRequest) -> Result<(), InvalidSubscriptions> {
        self.subscriptions.check(request)
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
                // Without subscriptions, the answer to a ping shows that the server accepts the connection.
                let action = subscribe(self.subscriptions.at_opening()).unwrap_or(Action::Ping);
                let effects = Effects::send(action, RequestId::parse(REQUEST_ID).ok());
                Effects { item: Some(Ok(StreamItem::Connected)), ..effects }
            }
            (
                Input::Failed(error),
                StreamState::Connecting { .. } | StreamState::Subscribing { .. } | StreamState::Streaming { .. },
            ) => self.disconnect(error, now),
            (Input::Received(frame), StreamState::Subscribing { .. } | StreamState::Streaming { .. }) => {
                self.receive(frame, now)
            }
            (Input::Ping(request_id), StreamState::Streaming { since, answer_by, accept_by, .. }) => {
                self.program_pinged = true;
                let answer_by = answer_by.or(Some(now + ANSWER));
                self.state = StreamState::Streaming { since, ping_at: now + PING, answer_by, accept_by };
                Effects::send(Action::Ping, Some(request_id))
            }
            (Input::Request(request), _) => {
                self.subscriptions.push(request);
                self.send_next(now, None)
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
            StreamState::Streaming { answer_by, accept_by, .. }
                if answer_by.is_none() && accept_by.is_none_or(|accept_by| now < accept_by) =>
            {
                self.ping(now)
            }
            StreamState::Subscribing { .. } | StreamState::Streaming { .. } => {
                self.disconnect(ClientError::Timeout(ANSWER), now)
            }
            StreamState::Waiting { .. } => {
                self.state = StreamState::Connecting { until: now + CONNECT };
                self.subscriptions.open();
                Effects::default()
            }
            StreamState::Closed => Effects::default(),
        }
    }

    fn ping(&mut self, now: Instant) -> Effects {
        if let StreamState::Streaming { ping_at, answer_by, .. } = &mut self.state {
            (*ping_at, *answer_by) = (now + PING, Some(now + ANSWER));
        }
        Effects::send(Action::Ping, None)
    }

    /// Hands out an item, and sends the next request about subscriptions, if the connection is free for it.
    fn send_next(&mut self, now: Instant, item: Option<StreamItem>) -> Effects {
        let message = match self.state {
            StreamState::Streaming { .. } => self.subscriptions.next_message(),
            _ => None,
        };
        self.send_request(message, now, item)
    }

    fn send_request(
        &mut self,
        message: Option<(Action, RequestId)>,
        now: Instant,
        item: Option<StreamItem>,
    ) -> Effects {
        if let (Some(_), StreamState::Streaming { accept_by, .. }) = (&message, &mut self.state) {
            *accept_by = Some(now + ANSWER);
        }
        let send = message.map(|(action, id)| ClientMessage { action, request_id: Some(id) });
        Effects { send, item: item.map(Ok) }
    }

    /// Gives up a request that kept the connection from opening. `None` if there is none, or the error is no fault of it.
    fn give_up_request(&mut self, error: &ClientError) -> Option<SubscriptionRequest> {
        let at_fault = match error {
            ClientError::Rejected { subscription, .. } => subscription.as_ref(),
            _ => None,
        };
        let can_reopen = self.reconnects && error.kind() == ErrorKind::RequestRefused;
        if can_reopen { self.subscriptions.give_up(at_fault) } else { None }
    }

    /// Ends the connection: for ever if the error is permanent, else until the next attempt.
    fn disconnect(&mut self, error: ClientError, now: Instant) -> Effects {
        self.program_pinged = false;
        let given_up = self.give_up_request(&error);
        self.subscriptions.lost();
        if given_up.is_none() && (!self.reconnects || !error.is_temporary()) {
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
        Effects::item(match given_up {
            Some(request) => StreamItem::Refused { request, error },
            None => StreamItem::Disconnected { error, retry_in, was_subscribed: subscribed_since.is_some() },
        })
    }
}

mod receive;
#[cfg(test)]
mod tests;
