//! Takes the steps that are due.

use entity_stream_protocol::{Action, ClientMessage};
use tokio::time::Instant;

use super::Machine;
use crate::error::ClientError;
use crate::item::StreamItem;
use crate::renewal::FreshToken;
use crate::rotation::ConnectionRotation;
use crate::state::StreamState;

impl Machine {
    /// Takes the steps that are due and are no answers of the server.
    pub(super) fn keep_up(&mut self, now: Instant) -> Option<ClientMessage> {
        self.elapse_departures(now);
        if self.elapse_idle(now) {
            return None;
        }
        if matches!(self.rotation, ConnectionRotation::Due(_)) {
            self.elapse_rotation(now);
        }
        if self.renewal.keep_up(now) {
            self.disconnect(ClientError::TokenExpired, now);
        }
        if let Some(message) = self.elapse_postponed(now) {
            return Some(message);
        }
        match self.state {
            // On a busy connection, no other step ends the pause.
            StreamState::Streaming { request_at: Some(at), .. } if now >= at => self.resume_requests(now),
            StreamState::Streaming { ping_at, answer_by: None, .. } if now >= ping_at => Some(self.ping(now)),
            _ => None,
        }
    }

    /// The driver fetched a token, or failed to.
    pub(super) fn renew(
        &mut self,
        fetched: Result<Option<FreshToken>, ClientError>,
        now: Instant,
    ) -> Option<ClientMessage> {
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
    pub(super) fn elapse(&mut self, now: Instant) -> Option<ClientMessage> {
        if self.state.deadline().is_none_or(|deadline| now < deadline) {
            return None;
        }
        let timing = self.conduct.timing;
        match &mut self.state {
            StreamState::Connecting { .. } => self.disconnect(ClientError::Timeout(timing.connect), now),
            StreamState::Streaming { answer_by, accept_by, request_at, .. } => {
                let is_due = |at: Option<Instant>| at.is_some_and(|at| now >= at);
                if is_due(*answer_by) {
                    self.disconnect(ClientError::Timeout(timing.pong), now);
                } else if is_due(*accept_by) {
                    self.disconnect(ClientError::Timeout(timing.answer), now);
                } else if is_due(*request_at) {
                    return self.resume_requests(now);
                } else {
                    return Some(self.ping(now));
                }
            }
            StreamState::Subscribing { .. } => self.disconnect(ClientError::Timeout(timing.answer), now),
            StreamState::Waiting { .. } => {
                self.state = StreamState::Connecting { until: now + timing.connect };
                self.subscriptions.open(self.is_cautious);
            }
            StreamState::Idle | StreamState::Closed => {}
        }
        None
    }

    /// Keeps the connection alive. If the server keeps a history, the answer is a position, so that a quiet stream has one from
    /// which it is worth to resume.
    pub(super) fn ping(&mut self, now: Instant) -> ClientMessage {
        if let StreamState::Streaming { ping_at, answer_by, .. } = &mut self.state {
            (*ping_at, *answer_by) = (now + self.conduct.timing.ping, Some(now + self.conduct.timing.pong));
        }
        let action = if self.resumption.bookmark().is_some() { Action::Sync } else { Action::Ping };
        ClientMessage { action, request_id: None }
    }
}
