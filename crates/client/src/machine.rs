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
//! - A request about subscriptions that the server refuses never ends a stream that reconnects. The same holds for a request whose
//!   message makes the server close the connection.
//! - A stream with a token source ends only after the server has refused two tokens in a row, or the source has returned the refused
//!   one again.
//! - The bookmark is never ahead of the items that were handed out, and every matching event before it was handed out or announced
//!   as possibly missed.

use std::collections::{BTreeSet, VecDeque};
use std::time::{Duration, SystemTime};

use entity_stream_protocol::limits::RESUME_INTERVAL;
use entity_stream_protocol::{
    Action, ClientMessage, CloseCode, RequestId, Since, Subscribe, Subscription, SubscriptionName,
};
use tokio::time::Instant;

use crate::backoff::Backoff;
use crate::bookmark::Bookmark;
use crate::conduct::StreamConduct;
use crate::departure::Departure;
use crate::error::{ClientError, ErrorKind};
use crate::item::StreamItem;
use crate::renewal::{FreshToken, Renewal, RenewalDeadline};
use crate::resumption::{BookmarkStep, Resumption};
use crate::rotation::ConnectionRotation;
use crate::seen::{SeenEvents, SeenLimits};
use crate::snapshots::{SnapshotStep, Snapshots};
use crate::state::StreamState;
use crate::subscription_limits::{InvalidSubscriptions, subscribe};
use crate::subscription_request::SubscriptionRequest;
use crate::subscription_set::SubscriptionSet;

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
    /// The server has sent something, and more may have arrived: answers may be late, but no other step may wait for a pause.
    Busy,
    /// The program wants a sign of life.
    Ping(RequestId),
    /// The program wants other subscriptions.
    Request(SubscriptionRequest),
    /// The token source returned a fresh token. `None` if it returned the same one.
    Token(Result<Option<FreshToken>, ClientError>),
    /// The network may be back.
    Wake,
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
    conduct: StreamConduct,
    backoff: Backoff,
    seen: SeenEvents,
    repeats: u64,
    resumption: Resumption,
    snapshots: Snapshots,
    items: VecDeque<QueuedItem>,
    /// True if the program waits for the answer to its own ping.
    program_pinged: bool,
    /// True if a connection has subscribed.
    has_subscribed: bool,
    /// True if the server refused the last token, until a connection has subscribed.
    is_refused: bool,
    renewal: Renewal,
    rotation: ConnectionRotation,
    departure: Option<Departure>,
}

impl Machine {
    /// A stream that opens its first connection as soon as it is driven, and begins at this place of the history.
    pub(crate) fn new(
        subscriptions: Vec<Subscription>,
        since: Option<Since>,
        conduct: StreamConduct,
        now: Instant,
    ) -> Self {
        Self::with_random(subscriptions, since, conduct, fastrand::Rng::new(), now)
    }

    fn with_random(
        subscriptions: Vec<Subscription>,
        since: Option<Since>,
        conduct: StreamConduct,
        random: fastrand::Rng,
        now: Instant,
    ) -> Self {
        Self {
            state: StreamState::Waiting { until: now },
            subscriptions: SubscriptionSet::new(subscriptions),
            backoff: Backoff::new(&conduct.timing, random),
            conduct,
            seen: SeenEvents::new(REMEMBERED_EVENTS),
            repeats: 0,
            resumption: Resumption::new(since, now),
            snapshots: Snapshots::default(),
            items: VecDeque::new(),
            program_pinged: false,
            has_subscribed: false,
            is_refused: false,
            renewal: Renewal::default(),
            rotation: ConnectionRotation::default(),
            departure: None,
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

    /// The time of the next [`Input::Elapsed`]. `None` after the end.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let departure = self.departure.as_ref().map(Departure::deadline);
        let others = [self.rotation_deadline(), self.renewal.deadline(), departure];
        others.into_iter().chain([self.state.deadline()]).flatten().min()
    }

    /// True if the server refused the last token, and another one is needed.
    pub(crate) fn needs_other_token(&self) -> bool {
        self.is_refused
    }

    /// True if the driver has to fetch a token for the open connection.
    pub(crate) fn wants_token(&self) -> bool {
        self.renewal.wants_token()
    }

    /// The connection that opens next has a token that lasts for this time.
    pub(crate) fn use_token(&mut self, left: Option<Duration>, now: Instant) {
        self.renewal.begin(left, self.conduct.timing.renew_before, now);
    }

    /// The number of repeated events that were dropped.
    pub(crate) fn repeats(&self) -> u64 {
        self.repeats
    }

    /// Takes an input, and returns the frame to send. An input that does not fit the state has no effect.
    pub(crate) fn step(&mut self, input: Input, now: Instant) -> Option<ClientMessage> {
        match (input, self.state) {
            (Input::Elapsed | Input::Busy, StreamState::Closed) => {
                self.elapse_departure(now);
                None
            }
            (_, StreamState::Closed) => None,
            (Input::Close, _) => {
                self.state = StreamState::Closed;
                self.stop_rotation();
                self.renewal.stop();
                self.departure = None;
                None
            }
            (Input::Opened, StreamState::Connecting { .. }) => {
                self.state = StreamState::Subscribing { until: now + self.conduct.timing.answer };
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
                let answer_by = answer_by.or(Some(now + self.conduct.timing.pong));
                self.state = StreamState::Streaming {
                    since,
                    ping_at: now + self.conduct.timing.ping,
                    answer_by,
                    accept_by,
                    snapshot_at,
                };
                Some(ClientMessage { action: Action::Ping, request_id: Some(request_id) })
            }
            (Input::Request(request), _) => {
                self.subscriptions.push(request);
                self.send_next(now)
            }
            (Input::Token(fetched), _) => self.renew(fetched, now),
            (Input::Wake, StreamState::Waiting { .. }) => {
                self.state = StreamState::Waiting { until: now };
                None
            }
            (Input::Wake, StreamState::Streaming { answer_by: None, .. }) => Some(self.ping(now)),
            (Input::Busy, _) => self.keep_up(now),
            (Input::Elapsed, _) => {
                self.elapse_departure(now);
                self.elapse_rotation(now);
                match self.renewal.elapse(now) {
                    Some(RenewalDeadline::Expired) => {
                        self.disconnect(ClientError::TokenExpired, now);
                        None
                    }
                    Some(RenewalDeadline::Unanswered) => {
                        self.disconnect(ClientError::Timeout(self.conduct.timing.answer), now);
                        None
                    }
                    Some(RenewalDeadline::WantsToken) | None => self.elapse(now),
                }
            }
            (Input::Opened | Input::Failed(_) | Input::Received(..) | Input::Ping(_) | Input::Wake, _) => None,
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

    /// Takes the steps that are due and are no answers of the server.
    fn keep_up(&mut self, now: Instant) -> Option<ClientMessage> {
        self.elapse_departure(now);
        if matches!(self.rotation, ConnectionRotation::Due(_)) {
            self.elapse_rotation(now);
        }
        if self.renewal.keep_up(now) {
            self.disconnect(ClientError::TokenExpired, now);
        }
        match self.state {
            StreamState::Streaming { ping_at, answer_by: None, .. } if now >= ping_at => Some(self.ping(now)),
            _ => None,
        }
    }

    fn elapse_departure(&mut self, now: Instant) {
        self.departure = self.departure.take().filter(|departure| now < departure.deadline());
    }

    /// The driver fetched a token, or failed to.
    fn renew(&mut self, fetched: Result<Option<FreshToken>, ClientError>, now: Instant) -> Option<ClientMessage> {
        match fetched {
            Ok(Some(fresh)) => return self.renewal.fetched(fresh, self.conduct.timing.answer, now),
            Ok(None) => self.renewal.not_fetched(now),
            // A text that is no token is one the next time too.
            Err(error) if error.is_temporary() => {
                self.renewal.not_fetched(now);
                self.hand_out(StreamItem::TokenNotRenewed { error });
            }
            Err(error) => {
                self.renewal.refused();
                self.hand_out(StreamItem::TokenNotRenewed { error });
            }
        }
        None
    }

    /// Takes the step of the state, if it is due.
    fn elapse(&mut self, now: Instant) -> Option<ClientMessage> {
        if self.state.deadline().is_none_or(|deadline| now < deadline) {
            return None;
        }
        let timing = self.conduct.timing;
        match &mut self.state {
            StreamState::Connecting { .. } => self.disconnect(ClientError::Timeout(timing.connect), now),
            StreamState::Streaming { answer_by, accept_by, snapshot_at, .. } => {
                let is_due = |at: Option<Instant>| at.is_some_and(|at| now >= at);
                if is_due(*answer_by) {
                    self.disconnect(ClientError::Timeout(timing.pong), now);
                } else if is_due(*accept_by) {
                    self.disconnect(ClientError::Timeout(timing.answer), now);
                } else if is_due(*snapshot_at) {
                    return self.send_snapshot_request(now);
                } else {
                    return Some(self.ping(now));
                }
            }
            StreamState::Subscribing { .. } => self.disconnect(ClientError::Timeout(timing.answer), now),
            StreamState::Waiting { .. } => {
                self.state = StreamState::Connecting { until: now + timing.connect };
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
            (*ping_at, *answer_by) = (now + self.conduct.timing.ping, Some(now + self.conduct.timing.pong));
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
            StreamState::Streaming { .. } if !self.snapshots.is_under_way() && !self.wants_replacement() => {
                self.subscriptions.next_message()
            }
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
            *accept_by = Some(now + self.conduct.timing.answer);
        }
        message.map(|(action, id)| ClientMessage { action, request_id: Some(id) })
    }

    /// Gives up a request that kept the connection from opening, or made the server close it. `None` if there is none, or the error is
    /// no fault of it.
    fn give_up_request(&mut self, error: &ClientError) -> Option<SubscriptionRequest> {
        if !self.conduct.reconnects {
            return None;
        }
        match error {
            ClientError::Rejected { subscription, .. } if error.kind() == ErrorKind::RequestRefused => {
                self.subscriptions.give_up(subscription.as_ref())
            }
            error if error.kind() == ErrorKind::RequestRefused => self.subscriptions.give_up(None),
            ClientError::Closed { code, .. } if is_fault_of_message(*code) => {
                self.subscriptions.give_up_message().or_else(|| self.subscriptions.give_up(None))
            }
            _ => None,
        }
    }

    /// Returns whether another attempt is of no use.
    fn is_final(&mut self, error: &ClientError) -> bool {
        match error {
            _ if !self.conduct.reconnects => true,
            // The first message would close every connection.
            ClientError::Closed { code, .. } if is_fault_of_message(*code) => {
                !self.has_subscribed && matches!(self.state, StreamState::Subscribing { .. })
            }
            ClientError::TokenRefusedAgain => true,
            // The token may have expired on its way.
            error if error.kind() == ErrorKind::CredentialRefused && self.conduct.has_token_source => {
                std::mem::replace(&mut self.is_refused, true)
            }
            error => !error.is_temporary(),
        }
    }

    /// Ends the connection: for ever if the error is permanent, else until the next attempt.
    fn disconnect(&mut self, error: ClientError, now: Instant) {
        self.program_pinged = false;
        self.stop_rotation();
        self.renewal.stop();
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
        if given_up.is_none() && self.is_final(&error) {
            self.state = StreamState::Closed;
            self.items.push_back(QueuedItem { item: Some(Err(error)), step: None });
            return;
        }
        if subscribed_since.is_some_and(|since| now - since >= self.conduct.timing.stable) {
            self.backoff.reset();
        }
        let delay = self.backoff.next();
        let least = if matches!(error, ClientError::TooSoon(_)) { RESUME_INTERVAL } else { Duration::ZERO };
        let retry_in = delay.max(least);
        self.state = StreamState::Waiting { until: now + retry_in };
        self.hand_out(match given_up {
            Some(request) => StreamItem::Refused { request, error },
            None => StreamItem::Disconnected { error, retry_in, was_subscribed: subscribed_since.is_some() },
        });
    }
}

/// The codes of connections that the same message would close again (RFC 6455, section 7.4.1).
fn is_fault_of_message(code: CloseCode) -> bool {
    matches!(u16::from(code), 1003 | 1007 | 1009)
}

mod depart;
mod receive;
mod rotate;
#[cfg(test)]
mod tests;
