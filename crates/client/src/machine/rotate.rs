//! The replacement of a connection before the server ends it.
//!
//! Invariants:
//! - The stream has a connection all the time: the old one counts until the server has answered the first message of the next
//!   one, which resumes from the stream's own place. Events that come on both are repeats.
//! - No request about subscriptions, and no snapshot, is under way meanwhile. Requests wait for the end.
//! - A replacement that fails changes nothing.

use std::time::Duration;

use entity_stream_protocol::{Answer, ClientMessage, Recovery, RequestId, ServerMessage, Since};
use tokio::time::Instant;

use super::Machine;
use crate::bookmark::Bookmark;
use crate::error::{ClientError, ErrorKind};
use crate::event::entries;
use crate::item::StreamItem;
use crate::resumption::BookmarkStep;
use crate::rotation::{ConnectionRotation, ReplacementEffects, ReplacementInput};
use crate::state::StreamState;
use crate::subscription_limits::subscribe;

/// The `requestId` of the first message of a replacement.
const REQUEST_ID: &str = "replace";
/// The time after which a rotation that was not possible is tried again.
const BUSY: Duration = Duration::from_secs(1);

impl Machine {
    /// A connection has subscribed: it is replaced some time later.
    pub(super) fn begin_rotation(&mut self, now: Instant) {
        let after = self.conduct.timing.rotate_after;
        self.rotation = ConnectionRotation::Due(now + after - self.backoff.part_of(after / 10));
        self.rotation_was_refused = false;
    }

    pub(super) fn stop_rotation(&mut self) {
        self.rotation = ConnectionRotation::None;
    }

    /// True if the driver has to hold a second connection.
    pub(crate) fn wants_replacement(&self) -> bool {
        matches!(self.rotation, ConnectionRotation::Opening { .. } | ConnectionRotation::Subscribing { .. })
    }

    pub(super) fn rotation_deadline(&self) -> Option<Instant> {
        match self.rotation {
            ConnectionRotation::None => None,
            ConnectionRotation::Due(at) => Some(at),
            ConnectionRotation::Opening { until } | ConnectionRotation::Subscribing { until, .. } => Some(until),
        }
    }

    /// Takes the step that is due. Returns the next message of the stream's connection, if the next one has failed.
    pub(super) fn elapse_rotation(&mut self, now: Instant) -> Option<ClientMessage> {
        if self.rotation_deadline().is_none_or(|deadline| now < deadline) {
            return None;
        }
        let timing = self.conduct.timing;
        match self.rotation {
            ConnectionRotation::None => {}
            ConnectionRotation::Due(_) => {
                let is_free = matches!(self.state, StreamState::Streaming { accept_by: None, request_at: None, .. })
                    && !self.snapshots.is_under_way()
                    && !self.has_departures()
                    && !self.subscriptions.at_opening().is_empty();
                self.rotation = match is_free {
                    true => ConnectionRotation::Opening { until: now + timing.connect },
                    false => ConnectionRotation::Due(now + BUSY),
                };
            }
            ConnectionRotation::Opening { .. } => {
                return self.replacement_failed(&ClientError::Timeout(timing.connect), now);
            }
            ConnectionRotation::Subscribing { .. } => {
                return self.replacement_failed(&ClientError::Timeout(timing.answer), now);
            }
        }
        None
    }

    /// Returns the request that waited for the end of the rotation.
    fn replacement_failed(&mut self, error: &ClientError, now: Instant) -> Option<ClientMessage> {
        // The token is not sent again.
        self.avoids_last_token |= error.kind() == ErrorKind::CredentialRefused;
        let longest = self.conduct.timing.longest_delay;
        let is_over = match error.kind() {
            // As in an attempt to connect, a refusal gets one more attempt with another token. The connection in use goes on until its
            // end.
            ErrorKind::CredentialRefused => {
                !self.conduct.has_token_source || std::mem::replace(&mut self.rotation_was_refused, true)
            }
            kind => kind == ErrorKind::InvalidArgument,
        };
        self.rotation = match is_over {
            true => ConnectionRotation::None,
            false => ConnectionRotation::Due(now + longest / 2 + self.backoff.part_of(longest / 2)),
        };
        self.hand_out(StreamItem::Notice(format!("the next connection did not open: {error}")));
        self.send_next(now)
    }

    /// Takes an input from the next connection.
    pub(crate) fn step_replacement(&mut self, input: ReplacementInput, now: Instant) -> ReplacementEffects {
        let none = ReplacementEffects::default();
        match (input, &self.rotation) {
            (ReplacementInput::Opened(token), ConnectionRotation::Opening { .. }) => {
                let since = self.resumption.bookmark().cloned().map(Since::from);
                let has_asked = since.is_some();
                let until = now + self.conduct.timing.answer;
                self.rotation = ConnectionRotation::Subscribing { until, has_asked, token };
                let action = subscribe(self.subscriptions.at_opening(), Default::default(), since);
                let message =
                    action.map(|action| ClientMessage { action, request_id: RequestId::parse(REQUEST_ID).ok() });
                ReplacementEffects { send: message, ..none }
            }
            (
                ReplacementInput::Failed(error),
                ConnectionRotation::Opening { .. } | ConnectionRotation::Subscribing { .. },
            ) => ReplacementEffects { resume: self.replacement_failed(&error, now), ..none },
            (ReplacementInput::Received(frame), ConnectionRotation::Subscribing { .. }) => {
                self.receive_replacement(&frame, now)
            }
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
                let has_recovered = matches!(recovery, Some(Recovery::Recovered { .. }));
                return self.replace(Bookmark::of(position, session), has_recovered, now);
            }
            ServerMessage::Answer(Answer::Error(rejection)) => {
                let (code, message) = (rejection.code, crate::text::repeatable(&rejection.message));
                let error = ClientError::Rejected { code, message, subscription: rejection.subscription };
                return ReplacementEffects { resume: self.replacement_failed(&error, now), ..none };
            }
            ServerMessage::Answer(_) | ServerMessage::GatewayError(_) | ServerMessage::Other(_) => {}
        }
        none
    }

    /// The next connection has subscribed. If it has not recovered the past, events may be under way on the former connection and
    /// nowhere else: the bookmark stays where it is until that one has brought them.
    fn replace(&mut self, new: Option<Bookmark>, has_recovered: bool, now: Instant) -> ReplacementEffects {
        let ConnectionRotation::Subscribing { has_asked, token, .. } = std::mem::take(&mut self.rotation) else {
            return ReplacementEffects::default();
        };
        let step = match (new, self.resumption.bookmark()) {
            (Some(new), Some(own)) if has_asked && !has_recovered => {
                // Events before the new position may be under way on the former connection.
                BookmarkStep::Continues(Some(Bookmark { position: own.position.clone(), session: new.session }))
            }
            (new @ Some(_), Some(_)) if has_asked => BookmarkStep::Continues(new),
            (new, _) => BookmarkStep::BeginsAnew(new),
        };
        self.hand_out_with(None, Some(step));
        self.resumption.opened(has_asked, now);
        if let StreamState::Streaming { ping_at, answer_by, .. } = &mut self.state {
            (*ping_at, *answer_by) = (now + self.conduct.timing.ping, None);
        }
        self.avoids_last_token = false;
        self.renewal.begin(token, self.conduct.timing.renew_before, now);
        self.begin_rotation(now);
        let farewell = self.depart(!has_recovered, now);
        ReplacementEffects { send: self.send_next(now), resume: None, replaces: true, farewell }
    }
}
