//! A connection that is no longer the stream's, and still brings events that are under way.
//!
//! A member of a group first leaves the group: the server has assigned events to the connection until it has answered, and some
//! arrive a little later.

use std::collections::VecDeque;
use std::time::Duration;

use entity_stream_protocol::{Action, ClientMessage, RequestId, SubscriptionName};
use tokio::time::Instant;

/// The silence after which a connection that has left its group gets no more events.
const QUIET: Duration = Duration::from_secs(1);
/// The `requestId` of its messages, which come one after the other.
const REQUEST_ID: &str = "leave";

/// A connection that ends.
#[derive(Debug)]
pub(crate) struct Departure {
    number: u64,
    /// The subscriptions to remove.
    names: VecDeque<SubscriptionName>,
    /// True if the connection may bring events that no other one has.
    is_only_source: bool,
    /// The end, if nothing arrives.
    quiet_at: Option<Instant>,
    end: Instant,
}

impl Departure {
    /// A connection with this number and these subscriptions, which ends at this time at the latest.
    pub(crate) fn new(number: u64, names: VecDeque<SubscriptionName>, is_only_source: bool, end: Instant) -> Self {
        Self { number, names, is_only_source, quiet_at: None, end }
    }

    /// The number that tells the connection from others.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// True if the connection may bring events that no other one has.
    pub(crate) fn is_only_source(&self) -> bool {
        self.is_only_source
    }

    /// The time at which the connection ends.
    pub(crate) fn deadline(&self) -> Instant {
        self.quiet_at.map_or(self.end, |quiet_at| quiet_at.min(self.end))
    }

    /// The next message. If there is none, the connection ends once it is quiet.
    pub(crate) fn next_message(&mut self, now: Instant) -> Option<ClientMessage> {
        let Some(subscription) = self.names.pop_front() else {
            self.quiet_at = Some(now + QUIET);
            return None;
        };
        Some(ClientMessage {
            action: Action::Unsubscribe { subscription },
            request_id: RequestId::parse(REQUEST_ID).ok(),
        })
    }

    /// A frame arrived: others may follow.
    pub(crate) fn hear(&mut self, now: Instant) {
        if let Some(quiet_at) = &mut self.quiet_at {
            *quiet_at = now + QUIET;
        }
    }
}
