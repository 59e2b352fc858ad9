//! The state machine of one stream, without I/O and without a clock.
//!
//! [`Machine::step`] takes an input and the time, changes the state, and returns the frame to send. [`Machine::next_item`]
//! returns the items to hand out. The driver takes all of them before the next input of the server, and derives everything else
//! from the state: it holds a connection in `Subscribing` and `Streaming`, opens one in `Connecting`, and drops it in `Waiting`
//! and `Closed`.
//!
//! Invariants:
//! - Every state but `Closed` has a deadline. A stream never waits for ever.
//! - A step at the deadline moves the deadline into the future or closes the stream. A driver that sleeps until the
//!   deadline never spins.
//! - No input leaves `Closed`, and a stream hands out one error at most, which is the last item.
//! - An event is not handed out again for the same subscriptions.
//! - A request about subscriptions that the server refuses never ends a stream that reconnects.
//! - The bookmark is never ahead of the items that were handed out, and every matching event before it was handed out or announced
//!   as possibly missed.

use std::collections::{BTreeSet, VecDeque};
use std::time::{Duration, SystemTime};

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use entity_stream_protocol::limits::RESUME_INTERVAL;
use entity_stream_protocol::{Action, ClientMessage, RequestId, Since, Subscribe, Subscription, SubscriptionName};
use tokio::time::Instant;

use crate::bookmark::Bookmark;
use crate::error::{ClientError, ErrorKind};
use crate::item::StreamItem;
use crate::resumption::{BookmarkStep, Resumption};
use crate::seen::{SeenEvents, SeenLimits};
use crate::snapshots::{SnapshotStep, Snapshots};
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
/// The events, once for each subscription that they match, that are remembered to drop repeats: 15 minutes of 100 events a
/// second.
const REMEMBERED_EVENTS: SeenLimits = SeenLimits { pairs: 100_000, time: Duration::from_secs(15 * 60) };
/// The `requestId` of the first message of a connection.
const REQUEST_ID: &str = "subscribe";

/// An input of the machine.
#[derive(Debug)]
pub(crate) enum Input {
    /// The connection is open.
    Opened,
    /// The attempt to connect, or the connection, failed.
    Failed(ClientError),
    /// The server sent a text frame at this time of the day.
    Received(String, SystemTime),
    /// The deadline has passed.
    Elapsed,
    /// The program wants a sign of life.
    Ping(RequestId),
    /// The program wants other subscriptions.
    Request(SubscriptionRequest),
    /// The program wants no more.
    Close,
}

/// An item that waits to be handed out, and the step of the bookmark that comes with it.
#[derive(Debug)]
struct QueuedItem {
    item: Option<Result<StreamItem, ClientError>>,
    step: Option<BookmarkStep>,
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
    resumption: Resumption,
    snapshots: Snapshots,
    items: VecDeque<QueuedItem>,
    /// True if the program waits for the answer to its own ping.
    program_pinged: bool,
}

impl Machine {
    /// A stream that opens its first connection as soon as it is driven, and begins at this place of the history.
    pub(crate) fn new(subscriptions: Vec<Subscription>, since: Option<Since>, reconnects: bool, now: Instant) -> Self {
        Self::with_delays(subscriptions, since, reconnects, DELAYS, now)
    }

    fn with_delays(
        subscriptions: Vec<Subscription>,
        since: Option<Since>,
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
            resumption: Resumption::new(since, now),
            snapshots: Snapshots::default(),
            items: VecDeque::new(),
            program_pinged: false,
        }
    }

    /// Begins these subscriptions with a snapshot.
    pub(crate) fn begin_with_snapshots(&mut self, names: BTreeSet<SubscriptionName>) {
        self.subscriptions.begin_with_snapshots(names);
    }

    /// The subscriptions with which the connection opens, before its first message. A connection that resumes opens with none, so
    /// that no event comes before the past ones are asked for.
    pub(crate) fn url_subscriptions(&self, now: Instant) -> Vec<Subscription> {
        match self.resumption.since(now) {
            Some(_) => Vec::new(),
            None => self.subscriptions.at_opening(),
        }
    }

    /// The subscriptions of the connection after its first message.
    #[cfg(test)]
    pub(crate) fn subscriptions(&self) -> Vec<Subscription> {
        self.subscriptions.at_opening()
    }

    /// The place in the history from which the stream can resume, if it continues after the items that were handed out.
    pub(crate) fn bookmark(&self) -> Option<&Bookmark> {
        self.resumption.bookmark()
    }

    /// The next item to hand out.
    pub(crate) fn next_item(&mut self) -> Option<Result<StreamItem, ClientError>> {
        while let Some(QueuedItem { item, step }) = self.items.pop_front() {
            if let Some(step) = step {
                self.resumption.proceed(step);
            }
            if item.is_some() {
                return item;
            }
        }
        None
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

    /// Takes an input, and returns the frame to send. An input that does not fit the state has no effect.
    pub(crate) fn step(&mut self, input: Input, now: Instant) -> Option<ClientMessage> {
        match (input, self.state) {
            (_, StreamState::Closed) => None,
            (Input::Close, _) => {
                self.state = StreamState::Closed;
                None
            }
            (Input::Opened, StreamState::Connecting { .. }) => {
                self.state = StreamState::Subscribing { until: now + ANSWER };
                self.seen.online(now);
                self.hand_out(StreamItem::Connected);
                Some(ClientMessage { action: self.opening_action(now), request_id: RequestId::parse(REQUEST_ID).ok() })
            }
            (
                Input::Failed(error),
                StreamState::Connecting { .. } | StreamState::Subscribing { .. } | StreamState::Streaming { .. },
            ) => {
                self.disconnect(error, now);
                None
            }
            (Input::Received(frame, at), StreamState::Subscribing { .. } | StreamState::Streaming { .. }) => {
                let sent = self.receive(&frame, now);
                self.resumption.hear(at);
                sent
            }
            (Input::Ping(request_id), StreamState::Streaming { since, answer_by, accept_by, snapshot_at, .. }) => {
                self.program_pinged = true;
                let answer_by = answer_by.or(Some(now + ANSWER));
                self.state = StreamState::Streaming { since, ping_at: now + PING, answer_by, accept_by, snapshot_at };
                Some(ClientMessage { action: Action::Ping, request_id: Some(request_id) })
            }
            (Input::Request(request), _) => {
                self.subscriptions.push(request);
                self.send_next(now)
            }
            (Input::Elapsed, _) if self.state.deadline().is_some_and(|deadline| now >= deadline) => self.elapse(now),
            (Input::Opened | Input::Failed(_) | Input::Received(..) | Input::Elapsed | Input::Ping(_), _) => None,
        }
    }

    /// The first message of a connection.
    fn opening_action(&mut self, now: Instant) -> Action {
        let snapshots = self.subscriptions.snapshots_at_opening();
        let action = subscribe(self.subscriptions.at_opening(), snapshots, self.resumption.since(now));
        self.resumption.opened(matches!(action, Some(Action::Subscribe(Subscribe { since: Some(_), .. }))));
        // Without subscriptions, the answer to a ping shows that the server accepts the connection.
        action.unwrap_or(Action::Ping)
    }

    fn elapse(&mut self, now: Instant) -> Option<ClientMessage> {
        match &mut self.state {
            StreamState::Connecting { .. } => self.disconnect(ClientError::Timeout(CONNECT), now),
            StreamState::Streaming { answer_by, accept_by, snapshot_at, .. } => {
                let is_due = |at: Option<Instant>| at.is_some_and(|at| now >= at);
                if is_due(*answer_by) || is_due(*accept_by) {
                    self.disconnect(ClientError::Timeout(ANSWER), now);
                } else if is_due(*snapshot_at) {
                    return self.send_snapshot_request(now);
                } else {
                    return Some(self.ping(now));
                }
            }
            StreamState::Subscribing { .. } => self.disconnect(ClientError::Timeout(ANSWER), now),
            StreamState::Waiting { .. } => {
                self.state = StreamState::Connecting { until: now + CONNECT };
                self.subscriptions.open();
            }
            StreamState::Closed => {}
        }
        None
    }

    /// Keeps the connection alive. If the server keeps a history, the answer is a position, so that a quiet stream has one from
    /// which it is worth to resume.
    fn ping(&mut self, now: Instant) -> ClientMessage {
        if let StreamState::Streaming { ping_at, answer_by, .. } = &mut self.state {
            (*ping_at, *answer_by) = (now + PING, Some(now + ANSWER));
        }
        let action = if self.resumption.bookmark().is_some() { Action::Sync } else { Action::Ping };
        ClientMessage { action, request_id: None }
    }

    fn hand_out(&mut self, item: StreamItem) {
        self.items.push_back(QueuedItem { item: Some(Ok(item)), step: None });
    }

    /// Hands out an item, if there is one, and moves the bookmark at that moment.
    fn hand_out_with(&mut self, item: Option<StreamItem>, step: Option<BookmarkStep>) {
        if item.is_some() || step.is_some() {
            self.items.push_back(QueuedItem { item: item.map(Ok), step });
        }
    }

    /// Hands out an item and the verdict on the past, and moves the bookmark with the last of them.
    fn hand_out_both(&mut self, item: Option<StreamItem>, verdict: Option<StreamItem>, step: Option<BookmarkStep>) {
        match verdict {
            None => self.hand_out_with(item, step),
            Some(_) => {
                self.hand_out_with(item, None);
                self.hand_out_with(verdict, step);
            }
        }
    }

    /// Sends the next request about subscriptions, if the connection is free for it.
    fn send_next(&mut self, now: Instant) -> Option<ClientMessage> {
        let message = match self.state {
            StreamState::Streaming { .. } if !self.snapshots.is_under_way() => self.subscriptions.next_message(),
            _ => None,
        };
        self.send_request(message, now)
    }

    /// Sends the next request of the snapshot that is under way.
    fn send_snapshot_request(&mut self, now: Instant) -> Option<ClientMessage> {
        if let StreamState::Streaming { snapshot_at, .. } = &mut self.state {
            *snapshot_at = None;
        }
        let (step, id) = self.snapshots.next_request()?;
        let action = match step {
            SnapshotStep::Continue(next) => Some(Action::Snapshot { next }),
            SnapshotStep::Begin(names) => {
                let subscriptions = self.subscriptions.at_opening();
                let named = subscriptions.into_iter().filter(|subscription| names.contains(&subscription.name));
                subscribe(named.collect(), names.clone(), None)
            }
        };
        self.send_request(action.map(|action| (action, id)), now)
    }

    fn send_request(&mut self, message: Option<(Action, RequestId)>, now: Instant) -> Option<ClientMessage> {
        if let (Some(_), StreamState::Streaming { accept_by, .. }) = (&message, &mut self.state) {
            *accept_by = Some(now + ANSWER);
        }
        message.map(|(action, id)| ClientMessage { action, request_id: Some(id) })
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
    fn disconnect(&mut self, error: ClientError, now: Instant) {
        self.program_pinged = false;
        self.seen.offline(now);
        let given_up = self.give_up_request(&error);
        self.subscriptions.lost();
        self.snapshots.lost();
        let subscribed_since = match self.state {
            StreamState::Streaming { since, .. } => Some(since),
            _ => None,
        };
        if subscribed_since.is_some() {
            match self.subscriptions.at_opening().is_empty() {
                true => self.resumption.forget(),
                false => self.resumption.lost(),
            }
        }
        if given_up.is_none() && (!self.reconnects || !error.is_temporary()) {
            self.state = StreamState::Closed;
            self.items.push_back(QueuedItem { item: Some(Err(error)), step: None });
            return;
        }
        if subscribed_since.is_some_and(|since| now - since >= STABLE) {
            self.next_delays = self.delays.build();
        }
        // The delays do not end.
        let delay = self.next_delays.next().unwrap_or(LONGEST_DELAY);
        let least = if matches!(error, ClientError::TooSoon(_)) { RESUME_INTERVAL } else { Duration::ZERO };
        let retry_in = delay.max(least);
        self.state = StreamState::Waiting { until: now + retry_in };
        self.hand_out(match given_up {
            Some(request) => StreamItem::Refused { request, error },
            None => StreamItem::Disconnected { error, retry_in, was_subscribed: subscribed_since.is_some() },
        });
    }
}

mod receive;
#[cfg(test)]
mod tests;
