//! The replacement of a connection before the server ends it.
//!
//! Invariants:
//! - The stream has a connection all the time: the old one counts until the server has answered the first message of the next
//!   one, which resumes from the stream's own place. Events that come on both are repeats.
//! - No request about subscriptions, and no snapshot, is under way meanwhile. Requests wait for the end.
//! - A replacement that fails changes nothing.

use std::time::Duration;

use entity_stream_protocol::Action;
use entity_stream_protocol::{Answer, ClientMessage, Recovery, RequestId, ServerMessage, Since, Subscribe};
use tokio::time::Instant;

use super::Machine;
use super::receive::bookmark;
use crate::bookmark::Bookmark;
use crate::error::ClientError;
use crate::event::entries;
use crate::item::StreamItem;
use crate::resumption::BookmarkStep;
use crate::state::StreamState;
use crate::subscription_limits::subscribe;

/// The `requestId` of the first message of a replacement.
const REQUEST_ID: &str = "replace";
/// The time after which a rotation that was not possible is tried again.
const BUSY: Duration = Duration::from_secs(1);

/// The next connection.
#[derive(Debug, Default)]
pub(super) enum Rotation {
    /// There is no connection to replace, or it does not have to be.
    #[default]
    None,
    Due(Instant),
    Opening {
        until: Instant,
    },
    Subscribing {
        until: Instant,
        has_asked: bool,
        token_left: Option<Duration>,
    },
}

/// An input from the next connection.
#[derive(Debug)]
pub(crate) enum ReplacementInput {
    /// It is open, with a token that lasts for this time.
    Opened(Option<Duration>),
    Failed(ClientError),
    Received(String),
}

/// What an input from the next connection leads to.
#[derive(Debug, Default)]
pub(crate) struct ReplacementEffects {
    /// A message for it.
    pub(crate) send: Option<ClientMessage>,
    /// True if it is the stream's connection from now on, and the former one is retired.
    pub(crate) replaces: bool,
    /// A message for the former one.
    pub(crate) farewell: Option<ClientMessage>,
}

impl Machine {
    /// A connection has subscribed: it is replaced some time later.
    pub(super) fn begin_rotation(&mut self, now: Instant) {
        let after = self.behaviour.timing.rotate_after;
        self.rotation = Rotation::Due(now + after - self.backoff.part_of(after / 10));
    }

    pub(super) fn stop_rotation(&mut self) {
        self.rotation = Rotation::None;
    }

    /// True if the driver has to hold a second connection.
    pub(crate) fn wants_replacement(&self) -> bool {
        matches!(self.rotation, Rotation::Opening { .. } | Rotation::Subscribing { .. })
    }

    pub(super) fn rotation_deadline(&self) -> Option<Instant> {
        match self.rotation {
            Rotation::None => None,
            Rotation::Due(at) => Some(at),
            Rotation::Opening { until } | Rotation::Subscribing { until, .. } => Some(until),
        }
    }

    pub(super) fn elapse_rotation(&mut self, now: Instant) {
        if self.rotation_deadline().is_none_or(|deadline| now < deadline) {
            return;
        }
        let timing = self.behaviour.timing;
        match self.rotation {
            Rotation::None => {}
            Rotation::Due(_) => {
                let is_free = matches!(self.state, StreamState::Streaming { accept_by: None, .. })
                    && !self.snapshots.is_under_way()
                    && self.departure.is_none()
                    && !self.subscriptions.at_opening().is_empty();
                self.rotation = match is_free {
                    true => Rotation::Opening { until: now + timing.connect },
                    false => Rotation::Due(now + BUSY),
                };
            }
            Rotation::Opening { .. } => self.replacement_failed(&ClientError::Timeout(timing.connect), now),
            Rotation::Subscribing { .. } => self.replacement_failed(&ClientError::Timeout(timing.answer), now),
        }
    }

    fn replacement_failed(&mut self, error: &ClientError, now: Instant) {
        let longest = self.behaviour.timing.longest_delay;
        self.rotation = Rotation::Due(now + longest / 2 + self.backoff.part_of(longest / 2));
        self.hand_out(StreamItem::Notice(format!("the next connection did not open: {error}")));
    }

    /// Takes an input from the next connection.
    pub(crate) fn step_replacement(&mut self, input: ReplacementInput, now: Instant) -> ReplacementEffects {
        let none = ReplacementEffects::default();
        match (input, &self.rotation) {
            (ReplacementInput::Opened(token_left), Rotation::Opening { .. }) => {
                let since = self.resumption.bookmark().cloned().map(Since::from);
                let has_asked = since.is_some();
                let until = now + self.behaviour.timing.answer;
                self.rotation = Rotation::Subscribing { until, has_asked, token_left };
                let action = subscribe(self.subscriptions.at_opening(), Default::default(), since);
                let message =
                    action.map(|action| ClientMessage { action, request_id: RequestId::parse(REQUEST_ID).ok() });
                ReplacementEffects { send: message, ..none }
            }
            (ReplacementInput::Failed(error), Rotation::Opening { .. } | Rotation::Subscribing { .. }) => {
                self.replacement_failed(&error, now);
                none
            }
            (ReplacementInput::Received(frame), Rotation::Subscribing { .. }) => self.receive_replacement(&frame, now),
            _ => none,
        }
    }

    fn receive_replacement(&mut self, frame: &str, now: Instant) -> ReplacementEffects {
        let none = ReplacementEffects::default();
        let Ok(message) = ServerMessage::parse(frame) else { return none };
        match message {
            ServerMessage::Events(messages) => {
                for (entry, message) in entries(frame).into_iter().zip(messages) {
                    self.receive_event(entry, message, false, now);
                }
            }
            message @ (ServerMessage::Event(_) | ServerMessage::CloudEvent(_)) => {
                self.receive_event(frame, message, false, now);
            }
            ServerMessage::Answer(Answer::Subscribed { request_id, position, session, recovery, .. })
                if request_id.as_ref().map(RequestId::as_str) == Some(REQUEST_ID) =>
            {
                return self.replace(bookmark(position, session), recovery, now);
            }
            ServerMessage::Answer(Answer::Error(rejection)) => {
                let (code, message) = (rejection.code, crate::text::repeatable(&rejection.message));
                let error = ClientError::Rejected { code, message, subscription: rejection.subscription };
                self.replacement_failed(&error, now);
            }
            ServerMessage::Answer(_) | ServerMessage::GatewayError(_) | ServerMessage::Other(_) => {}
        }
        none
    }

    /// The next connection has subscribed. The former one has brought every event until now, so nothing is missed, whatever the
    /// server says about the past.
    fn replace(&mut self, new: Option<Bookmark>, recovery: Option<Recovery>, now: Instant) -> ReplacementEffects {
        let Rotation::Subscribing { has_asked, token_left, .. } = std::mem::take(&mut self.rotation) else {
            return ReplacementEffects::default();
        };
        let step = match (new, self.resumption.bookmark()) {
            (Some(new), Some(own)) if has_asked && !matches!(recovery, Some(Recovery::Recovered { .. })) => {
                // Events before the new position may be under way on the former connection.
                BookmarkStep::Continues(Some(Bookmark { position: own.position.clone(), session: new.session }))
            }
            (new @ Some(_), Some(_)) if has_asked => BookmarkStep::Continues(new),
            (new, _) => BookmarkStep::BeginsAnew(new),
        };
        self.hand_out_with(None, Some(step));
        if let StreamState::Streaming { ping_at, answer_by, .. } = &mut self.state {
            (*ping_at, *answer_by) = (now + self.behaviour.timing.ping, None);
        }
        self.renewal.begin(token_left, self.behaviour.timing.renew_before, now);
        self.begin_rotation(now);
        let farewell = self.depart(now);
        ReplacementEffects { send: self.send_next(now), replaces: true, farewell }
    }
}

/// Returns whether a message asks for past events.
pub(super) fn asks_for_past(action: Option<&Action>) -> bool {
    matches!(action, Some(Action::Subscribe(Subscribe { since: Some(_), .. })))
}
