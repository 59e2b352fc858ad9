//! The end of a connection: for ever, or until the next attempt.

use std::time::Duration;

use entity_stream_protocol::limits::RESUME_INTERVAL;
use entity_stream_protocol::{CloseCode, Subscription};
use tokio::time::Instant;

use super::Machine;
use crate::error::{ClientError, ErrorKind};
use crate::item::StreamItem;
use crate::queued_item::QueuedItem;
use crate::state::StreamState;
use crate::subscription_request::SubscriptionRequest;
use crate::subscription_set::SubscriptionSet;

impl Machine {
    /// Gives up what kept the connection from opening, or made the server close it: a request, or a subscription that the server
    /// has accepted before. `None` if neither is at fault.
    fn give_up(&mut self, error: &ClientError) -> Option<GivenUp> {
        let is_connecting = matches!(self.state, StreamState::Connecting { .. });
        if !self.conduct.reconnects {
            return None;
        }
        match error {
            // The connection was not authenticated, so no request was sent.
            ClientError::Rejected { .. } | ClientError::Closed { .. } if is_connecting => None,
            ClientError::Rejected { subscription, .. } if error.kind() == ErrorKind::RequestRefused => {
                let subscription = subscription.as_ref();
                let restores = self.has_subscribed && matches!(self.state, StreamState::Subscribing { .. });
                let named = subscription.and_then(|name| self.subscriptions.give_up(name)).map(GivenUp::Request);
                let restored = |set: &mut SubscriptionSet, name| match restores {
                    true => set.give_up_restored(name).map(GivenUp::Restored),
                    false => None,
                };
                named
                    .or_else(|| subscription.and_then(|name| restored(&mut self.subscriptions, Some(name))))
                    .or_else(|| self.subscriptions.give_up_last().map(GivenUp::Request))
                    .or_else(|| restored(&mut self.subscriptions, None))
            }
            error if error.kind() == ErrorKind::RequestRefused => {
                self.subscriptions.give_up_last().map(GivenUp::Request)
            }
            ClientError::Closed { code, .. } if is_fault_of_message(*code) => {
                let given_up = self.subscriptions.give_up_message().or_else(|| self.subscriptions.give_up_last());
                given_up.map(GivenUp::Request)
            }
            _ => None,
        }
    }

    /// Returns whether another attempt is of no use.
    pub(super) fn is_final(&mut self, error: &ClientError) -> bool {
        match error {
            _ if !self.conduct.reconnects => true,
            // The first message would close every connection.
            ClientError::Closed { code, .. } if is_fault_of_message(*code) => {
                !self.has_subscribed && matches!(self.state, StreamState::Subscribing { .. })
            }
            // The token may have expired on its way. A refusal gets one more attempt, with another token.
            error if error.kind() == ErrorKind::CredentialRefused && self.conduct.has_token_source => {
                self.avoids_last_token = true;
                std::mem::replace(&mut self.is_refused, true)
            }
            error => !error.is_temporary(),
        }
    }

    /// The connection, or the attempt to open one, is over.
    pub(super) fn end_connection(&mut self, now: Instant) {
        self.program_pinged = false;
        self.stop_rotation();
        self.renewal.stop();
        self.seen.offline(now);
        self.subscriptions.lost();
        self.postponed.lost();
        self.snapshots.lost();
    }

    /// Ends the connection: for ever if the error is permanent, else until the next attempt.
    pub(super) fn disconnect(&mut self, error: ClientError, now: Instant) {
        let given_up = self.give_up(&error);
        self.end_connection(now);
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
        if self.conduct.reconnects && !self.subscriptions.is_wanted() {
            // There is nothing to connect for.
            self.state = StreamState::Waiting { until: now };
            self.hand_out_with(given_up.map(|given_up| given_up.item(error)), None);
            return;
        }
        if given_up.is_none() && self.is_final(&error) {
            self.state = StreamState::Closed;
            // The error is the last item.
            self.departures.clear();
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
        let was_subscribed = subscribed_since.is_some();
        let error = match given_up {
            None => error,
            Some(given_up) => {
                // The connection ended for the other subscriptions too.
                let same = same_close(&error).filter(|_| was_subscribed);
                self.hand_out(given_up.item(error));
                let Some(error) = same else { return };
                error
            }
        };
        self.hand_out(StreamItem::Disconnected { error, retry_in, was_subscribed });
    }
}

/// The reason for which a connection did not open, or ended.
#[derive(Debug)]
enum GivenUp {
    Request(SubscriptionRequest),
    Restored(Subscription),
}

impl GivenUp {
    fn item(self, error: ClientError) -> StreamItem {
        match self {
            Self::Request(request) => StreamItem::Refused { request, error },
            Self::Restored(subscription) => StreamItem::SubscriptionEnded { subscription, error },
        }
    }
}

/// The same error once more, if it is a close.
fn same_close(error: &ClientError) -> Option<ClientError> {
    match error {
        ClientError::Closed { code, reason } => Some(ClientError::Closed { code: *code, reason: reason.clone() }),
        _ => None,
    }
}

/// The codes of connections that the same message would close again (RFC 6455, section 7.4.1).
fn is_fault_of_message(code: CloseCode) -> bool {
    matches!(u16::from(code), 1003 | 1007 | 1009)
}
