//! A stream without a subscription has no connection.
//!
//! Invariants:
//! - A stream that wants a subscription is never idle. A stream that wants none becomes idle at its deadline, so the program can
//!   subscribe again when it takes the last item before.
//! - No request waits in an idle stream: all of them have taken effect.

use std::time::Duration;

use tokio::time::Instant;

use super::Machine;
use crate::item::StreamItem;
use crate::state::StreamState;

/// The time for which a connection without subscriptions stays open, because the next subscription often follows at once.
const IDLE: Duration = Duration::from_secs(1);

impl Machine {
    /// Plans the next change between a stream with a connection and one without.
    pub(super) fn plan_idle(&mut self, now: Instant) {
        let is_wanted = self.subscriptions.is_wanted();
        self.idle_at = match self.state {
            StreamState::Streaming { .. } if self.subscriptions.is_empty() => self.idle_at.or(Some(now + IDLE)),
            StreamState::Connecting { .. } | StreamState::Waiting { .. } if !is_wanted => {
                Some(self.idle_at.map_or(now, |idle_at| idle_at.min(now)))
            }
            _ => None,
        };
        if is_wanted && self.state == StreamState::Idle {
            self.state = StreamState::Waiting { until: now };
        }
    }

    /// Becomes idle, if that is due. Returns whether it was.
    pub(super) fn elapse_idle(&mut self, now: Instant) -> bool {
        let is_due = self.idle_at.is_some_and(|idle_at| now >= idle_at);
        if is_due {
            if self.conduct.is_member && matches!(self.state, StreamState::Streaming { .. }) {
                // The server may have assigned events to the connection before it removed the last subscription.
                self.depart(false, now);
            }
            self.end_connection(now);
            self.subscriptions.settle();
            if self.has_subscribed {
                self.resumption.forget();
            }
            self.state = StreamState::Idle;
            self.hand_out(StreamItem::Idle);
        }
        is_due
    }
}
