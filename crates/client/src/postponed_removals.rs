//! The removals of subscriptions that the server could not serve, without I/O.
//!
//! Invariants:
//! - A subscription here is over for the program. The server may keep it until the connection ends.
//! - A removal is sent again with growing waits, and holds up no request of the program.

use std::time::Duration;

use entity_stream_protocol::{Action, RequestId, SubscriptionName};
use tokio::time::Instant;

/// The wait before the next attempt, which doubles up to the longest.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(30);

#[derive(Debug)]
struct PostponedRemoval {
    name: SubscriptionName,
    wait: Duration,
    at: Instant,
}

/// The removals of one connection.
#[derive(Debug, Default)]
pub(crate) struct PostponedRemovals {
    removals: Vec<PostponedRemoval>,
    /// The removal whose message is under way, and the id of the message.
    under_way: Option<(PostponedRemoval, RequestId)>,
    messages: u64,
}

impl PostponedRemovals {
    /// The server could not remove this subscription.
    pub(crate) fn postpone(&mut self, name: SubscriptionName, now: Instant) {
        self.removals.push(PostponedRemoval { name, wait: FIRST_WAIT, at: now + FIRST_WAIT });
    }

    /// The time of the next attempt.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.removals.iter().map(|removal| removal.at).min()
    }

    /// The names of the subscriptions.
    pub(crate) fn names(&self) -> impl Iterator<Item = &SubscriptionName> {
        let under_way = self.under_way.iter().map(|(removal, _)| removal);
        self.removals.iter().chain(under_way).map(|removal| &removal.name)
    }

    /// Forgets the removals of names that the program uses again: the server has exchanged these subscriptions.
    pub(crate) fn retain(&mut self, is_over: impl Fn(&SubscriptionName) -> bool) {
        self.removals.retain(|removal| is_over(&removal.name));
    }

    /// The message of a removal that is due.
    pub(crate) fn next_message(&mut self, now: Instant) -> Option<(Action, RequestId)> {
        let place = self.removals.iter().position(|removal| now >= removal.at)?;
        let removal = self.removals.swap_remove(place);
        self.messages += 1;
        let request_id = RequestId::parse(format!("removal-{}", self.messages)).ok()?;
        let action = Action::Unsubscribe { subscription: removal.name.clone() };
        self.under_way = Some((removal, request_id.clone()));
        Some((action, request_id))
    }

    /// Returns whether this is the id of the message under way.
    pub(crate) fn awaits(&self, request_id: Option<&RequestId>) -> bool {
        self.under_way.as_ref().is_some_and(|(_, id)| Some(id) == request_id)
    }

    /// The server has removed the subscription whose message is under way, or does not have it.
    pub(crate) fn removed(&mut self) {
        self.under_way = None;
    }

    /// The server could not serve the message under way.
    pub(crate) fn failed(&mut self, now: Instant) {
        if let Some((PostponedRemoval { name, wait, .. }, _)) = self.under_way.take() {
            let wait = LONGEST_WAIT.min(2 * wait);
            self.removals.push(PostponedRemoval { name, wait, at: now + wait });
        }
    }

    /// The connection ended, and with it all subscriptions that the program does not want.
    pub(crate) fn lost(&mut self) {
        self.removals.clear();
        self.under_way = None;
    }
}
