//! The state machine of one stream, without I/O and without a clock.
//!
//! [`Machine::step`] takes an input and the time, changes the state, and returns the frame to send. [`Machine::next_item`] returns
//! the items to hand out. The driver takes all of them before the next input of the server, and derives everything else from the
//! state: it holds a connection in `Subscribing` and `Streaming`, opens one in `Connecting`, and drops it in `Idle`, `Waiting` and
//! `Closed`.
//!
//! Invariants:
//! - Every state but `Idle` and `Closed` has a deadline. A stream that has a subscription never waits for ever.
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
use std::time::Duration;

use entity_stream_protocol::{AccessToken, Action, ClientMessage, RequestId, Since, Subscription, SubscriptionName};
use tokio::time::Instant;

pub(crate) use self::input::Input;
use crate::backoff::Backoff;
use crate::bookmark::Bookmark;
use crate::conduct::StreamConduct;
use crate::departure::Departure;
use crate::error::ClientError;
use crate::item::StreamItem;
use crate::postponed_removals::PostponedRemovals;
use crate::queued_item::QueuedItem;
use crate::renewal::{HeldToken, Renewal, RenewalDeadline};
use crate::resumption::Resumption;
use crate::rotation::ConnectionRotation;
use crate::seen::{SeenEvents, SeenLimits};
use crate::snapshots::Snapshots;
use crate::state::StreamState;
use crate::subscription_limits::InvalidSubscriptions;
use crate::subscription_request::SubscriptionRequest;
use crate::subscription_set::SubscriptionSet;

/// The events, once for each subscription that they match, that are remembered to drop repeats: 15 minutes of 100 events a
/// second.
const REMEMBERED_EVENTS: SeenLimits = SeenLimits { pairs: 100_000, time: Duration::from_secs(15 * 60) };
/// The `requestId` of the first message of a connection.
const REQUEST_ID: &str = "subscribe";

/// The state machine of one stream.
#[derive(Debug)]
pub(crate) struct Machine {
    state: StreamState,
    subscriptions: SubscriptionSet,
    postponed: PostponedRemovals,
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
    /// True if the server refused the last attempt to connect because of its token, until a connection has subscribed.
    is_refused: bool,
    /// True if the server refused the last token, in a handshake or in a message. The token is not sent again.
    avoids_last_token: bool,
    /// True if the server could not serve the last first message, until a connection has subscribed.
    is_cautious: bool,
    renewal: Renewal,
    rotation: ConnectionRotation,
    /// True if the server has refused a token of the next connection.
    rotation_was_refused: bool,
    /// The time at which the stream becomes idle. `None` if it has a subscription, or will have one.
    idle_at: Option<Instant>,
    /// Connections that are no longer the stream's, and still bring events.
    departures: Vec<Departure>,
    /// The number of connections that were retired.
    retirements: u64,
}

impl Machine {
    /// A stream that opens its first connection as soon as it is driven and has a subscription, and begins at this place of the
    /// history.
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
        let is_idle = subscriptions.is_empty();
        Self {
            state: if is_idle { StreamState::Idle } else { StreamState::Waiting { until: now } },
            subscriptions: SubscriptionSet::new(subscriptions),
            postponed: PostponedRemovals::default(),
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
            avoids_last_token: false,
            is_cautious: false,
            renewal: Renewal::default(),
            rotation: ConnectionRotation::default(),
            rotation_was_refused: false,
            idle_at: None,
            departures: Vec::new(),
            retirements: 0,
        }
    }

    /// Begins these subscriptions with a snapshot.
    pub(crate) fn begin_with_snapshots(&mut self, names: BTreeSet<SubscriptionName>) {
        self.subscriptions.begin_with_snapshots(names);
    }

    /// The subscriptions with which the connection opens, before its first message. A connection that resumes opens with none, so
    /// that no event comes before the past ones are asked for.
    pub(crate) fn url_subscriptions(&self, now: Instant) -> Vec<Subscription> {
        match self.since_at_opening(now) {
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
        let departure = self.departures.iter().map(Departure::deadline).min();
        let others =
            [self.rotation_deadline(), self.renewal.deadline(), departure, self.idle_at, self.postponed_deadline()];
        others.into_iter().chain([self.state.deadline()]).flatten().min()
    }

    /// True if the server refused the last token, and another one is needed.
    pub(crate) fn needs_other_token(&self) -> bool {
        self.avoids_last_token
    }

    /// True if the driver has to fetch a token for the open connection.
    pub(crate) fn wants_token(&self) -> bool {
        self.renewal.wants_token()
    }

    /// The connection that opens next has this token.
    pub(crate) fn use_token(&mut self, held: Option<HeldToken>, now: Instant) {
        self.renewal.begin(held, self.conduct.timing.renew_before, now);
    }

    /// The token of the connection.
    pub(crate) fn held_token(&self) -> Option<&AccessToken> {
        self.renewal.held()
    }

    /// The number of repeated events that were dropped.
    pub(crate) fn repeats(&self) -> u64 {
        self.repeats
    }

    /// Takes an input, and returns the frame to send. An input that does not fit the state has no effect.
    pub(crate) fn step(&mut self, input: Input, now: Instant) -> Option<ClientMessage> {
        let sent = self.take(input, now);
        self.plan_idle(now);
        sent
    }

    fn take(&mut self, input: Input, now: Instant) -> Option<ClientMessage> {
        match (input, self.state) {
            (Input::Elapsed | Input::Busy, StreamState::Idle | StreamState::Closed) => {
                self.elapse_departures(now);
                None
            }
            (_, StreamState::Closed) => None,
            (Input::Close, _) => {
                self.state = StreamState::Closed;
                self.stop_rotation();
                self.renewal.stop();
                self.departures.clear();
                None
            }
            (Input::Opened, StreamState::Connecting { .. }) => {
                self.state = StreamState::Subscribing { until: now + self.conduct.timing.answer };
                self.seen.online(now);
                self.hand_out(StreamItem::Connected);
                let action = self.opening_action(now)?;
                Some(ClientMessage { action, request_id: RequestId::parse(REQUEST_ID).ok() })
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
            (Input::Ping(request_id), StreamState::Streaming { since, answer_by, accept_by, request_at, .. }) => {
                self.program_pinged = true;
                let answer_by = answer_by.or(Some(now + self.conduct.timing.pong));
                self.state = StreamState::Streaming {
                    since,
                    ping_at: now + self.conduct.timing.ping,
                    answer_by,
                    accept_by,
                    request_at,
                };
                Some(ClientMessage { action: Action::Ping, request_id: Some(request_id) })
            }
            (Input::Request(request), _) => {
                self.seen.prepare(&request, &self.subscriptions.names());
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
                self.elapse_departures(now);
                if self.elapse_idle(now) {
                    return None;
                }
                if let Some(message) = self.elapse_rotation(now).or_else(|| self.elapse_postponed(now)) {
                    return Some(message);
                }
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
}

mod answers;
mod depart;
mod disconnect;
mod idle;
mod input;
mod items;
mod receive;
mod refusals;
mod requests;
mod rotate;
#[cfg(test)]
mod tests;
mod upkeep;
