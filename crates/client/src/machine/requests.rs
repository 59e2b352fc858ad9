//! Sends the requests about subscriptions and snapshots. At most one of them is under way.

use std::time::Duration;

use entity_stream_protocol::{Action, ClientMessage, RequestId, Since, Subscribe, SubscriptionName};
use tokio::time::Instant;

use super::Machine;
use crate::item::StreamItem;
use crate::snapshots::SnapshotStep;
use crate::state::StreamState;
use crate::subscription_limits::subscribe;

impl Machine {
    /// The first message of a connection.
    pub(super) fn opening_action(&mut self, now: Instant) -> Option<Action> {
        let snapshots = self.subscriptions.snapshots_at_opening();
        let action = subscribe(self.subscriptions.at_opening(), snapshots, self.since_at_opening(now));
        self.resumption.opened(matches!(action, Some(Action::Subscribe(Subscribe { since: Some(_), .. }))), now);
        action
    }

    /// The place in the history from which the next connection wants events.
    pub(super) fn since_at_opening(&self, now: Instant) -> Option<Since> {
        self.subscriptions.since_at_opening(now).or_else(|| self.resumption.since(now))
    }

    /// Sends the next request about subscriptions, if the connection is free for it.
    pub(super) fn send_next(&mut self, now: Instant) -> Option<ClientMessage> {
        if !self.is_free() {
            return None;
        }
        if self.subscriptions.asks_next() {
            if let Some(pause) = self.resumption.asks_in(now) {
                return self.pause_requests(pause, now);
            }
            self.resumption.opened(true, now);
        }
        let message = self.subscriptions.next_message(now).or_else(|| {
            let names = self.subscriptions.names();
            self.postponed.retain(|name| !names.contains(name));
            self.postponed.next_message(now)
        });
        self.send_request(message, now)
    }

    /// True if the connection is free for a request about subscriptions.
    fn is_free(&self) -> bool {
        matches!(self.state, StreamState::Streaming { request_at: None, accept_by: None, .. })
            && !self.snapshots.is_under_way()
            && !self.wants_replacement()
    }

    /// The time at which the client tries again to remove a subscription that the server could not remove.
    pub(super) fn postponed_deadline(&self) -> Option<Instant> {
        self.postponed.deadline().filter(|_| self.is_free())
    }

    /// Tries again to remove a subscription, if that is due.
    pub(super) fn elapse_postponed(&mut self, now: Instant) -> Option<ClientMessage> {
        if self.postponed_deadline().is_some_and(|at| now >= at) { self.send_next(now) } else { None }
    }

    /// The server cannot remove a subscription at the moment. For the program it is over.
    pub(super) fn postpone_removal(&mut self, now: Instant) -> Option<ClientMessage> {
        if let Some((name, request)) = self.subscriptions.postpone_removal() {
            self.postponed.postpone(name, now);
            self.hand_out(StreamItem::Accepted(request));
        }
        self.send_next(now)
    }

    /// The server has refused another attempt to remove a subscription.
    pub(super) fn removal_rejected(&mut self, is_temporary: bool, now: Instant) -> Option<ClientMessage> {
        self.no_longer_requesting();
        match is_temporary {
            true => self.postponed.failed(now),
            // The server does not have it.
            false => self.postponed.removed(),
        }
        self.send_next(now)
    }

    /// Returns whether a subscription is over for the program, though the server may still have it.
    pub(super) fn is_over(&self, name: &SubscriptionName) -> bool {
        // The group gives these events to no other member.
        !self.conduct.is_member
            && self.postponed.names().any(|other| other == name)
            && !self.subscriptions.names().contains(name)
    }

    /// Sends the next request of the snapshot that is under way. If the program has ended all its subscriptions, the snapshot is
    /// over.
    pub(super) fn send_snapshot_request(&mut self, now: Instant) -> Option<ClientMessage> {
        let subscriptions = self.snapshots.subscriptions()?;
        if !self.subscriptions.is_any_wanted(subscriptions) {
            let held = self.snapshots.abandon();
            self.hand_out_with(None, held);
            return self.send_next(now);
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

    /// Sends the next request after a pause.
    pub(super) fn pause_requests(&mut self, pause: Duration, now: Instant) -> Option<ClientMessage> {
        if let StreamState::Streaming { request_at, .. } = &mut self.state {
            *request_at = Some(now + pause);
        }
        None
    }

    /// The pause is over.
    pub(super) fn resume_requests(&mut self, now: Instant) -> Option<ClientMessage> {
        if let StreamState::Streaming { request_at, .. } = &mut self.state {
            *request_at = None;
        }
        if self.snapshots.is_under_way() { self.send_snapshot_request(now) } else { self.send_next(now) }
    }

    /// True if a request about subscriptions is under way.
    pub(super) fn is_requesting(&self) -> bool {
        matches!(self.state, StreamState::Streaming { accept_by: Some(_), .. })
    }

    /// The server has answered the request that was under way.
    pub(super) fn no_longer_requesting(&mut self) {
        if let StreamState::Streaming { accept_by, .. } = &mut self.state {
            *accept_by = None;
        }
    }
}
