use std::time::Duration;

use entity_stream_clock::Clock;
use entity_stream_connections::{Interest, Table};
use entity_stream_delivery::{CloseError, ManagementApi, Outcome};
use entity_stream_protocol::limits::YOUNG_CONNECTION;
use tokio::time::Instant;
use tracing::{Instrument, Span};

use crate::dispatcher::{Attempt, Carrier};
use crate::messages::Messages;
use crate::recipients::Recipient;
use crate::resolution::{Resolution, Sending};

/// Sends the events of a batch to recipients, and acts on the outcomes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Courier<'a> {
    pub(crate) table: &'a Table,
    pub(crate) management_api: &'a ManagementApi,
    pub(crate) clock: &'a Clock,
    /// The messages of each event.
    pub(crate) messages: &'a [Messages<'a>],
    /// The span of each event, for the log.
    pub(crate) spans: &'a [Span],
    /// Nothing is sent after this time.
    pub(crate) stop: Instant,
}

/// The right of a connection to receive events.
enum Right {
    /// It lasts this long; without a time, as long as the connection.
    For(Option<Duration>),
    /// It has expired.
    Expired,
    /// The connection has no record.
    Unregistered,
    /// The table did not answer. Holds the reason.
    Unknown(String),
}

impl Carrier<Recipient> for Courier<'_> {
    /// Tries to send each event of a recipient, in the order of the batch. It stops at the first event that no member
    /// accepts yet.
    async fn attempt(&self, recipient: &mut Recipient) -> Attempt {
        // The reason if the deadline ends this attempt.
        "the deadline passed".clone_into(&mut recipient.reason);
        let mut delivered = false;
        while let Some((event, interest)) = recipient.next(self.clock.now()) {
            let sending = self.send(event, interest).instrument(self.spans[event].clone()).await;
            match sending {
                Sending::Resolved(resolution) => {
                    delivered |= resolution == Resolution::Delivered;
                    recipient.resolve(resolution, self.clock.now());
                }
                Sending::NotYet(reason) => {
                    recipient.reason = reason;
                    return Attempt { delivered, is_done: false };
                }
            }
        }
        Attempt { delivered, is_done: true }
    }
}

impl Courier<'_> {
    async fn send(&self, event: usize, interest: &mut Interest) -> Sending {
        let right = match self.right(interest).await {
            Right::For(time) => time,
            Right::Expired => return self.close(interest).await,
            Right::Unregistered => return self.forget(interest).await,
            Right::Unknown(reason) => return Sending::NotYet(reason),
        };
        let expiry = right.and_then(|time| Instant::now().checked_add(time));
        match self.post(event, interest, expiry.map_or(self.stop, |expiry| expiry.min(self.stop))).await {
            // `@connections` answers 410 until `$connect` has returned, but the interest is already in the table. The record
            // tells a connection that has ended from one that is opening: `disconnect` deletes it first.
            Outcome::Gone => {
                let is_young = interest.connection_age(self.clock.now()) < YOUNG_CONNECTION;
                if is_young && self.is_registered(interest).await {
                    return Sending::NotYet("410 for a connection younger than 30 seconds".to_owned());
                }
                self.forget(interest).await
            }
            outcome => outcome.into(),
        }
    }

    /// Returns the right of a connection. The interest was read a while ago, so the right may have been renewed: an interest
    /// counts as expired only if the connection's record says the same.
    async fn right(&self, interest: &mut Interest) -> Right {
        let now = self.clock.now();
        let Some(until) = interest.authorised_until else { return Right::For(None) };
        if now < until {
            return Right::For(Some(until.since(now)));
        }
        match self.table.find(&interest.connection_id, now).await {
            Ok(Some(connection)) if connection.authorisation.is_valid(now) => {
                interest.authorised_until = connection.authorisation.until();
                Right::For(interest.authorised_until.map(|until| until.since(now)))
            }
            Ok(Some(_)) => Right::Expired,
            Ok(None) => Right::Unregistered,
            Err(error) => Right::Unknown(error.to_string()),
        }
    }

    async fn post(&self, event: usize, interest: &Interest, deadline: Instant) -> Outcome {
        let (id, messages) = (&interest.connection_id, &self.messages[event]);
        let outcome = self.management_api.post_before(id, messages.message(interest.format), deadline).await;
        let outcome = if outcome == Outcome::TooLarge {
            self.management_api.post_before(id, messages.truncated(interest.format), deadline).await
        } else {
            outcome
        };
        match &outcome {
            Outcome::Delivered | Outcome::Gone => {}
            retryable if retryable.is_retryable() => {
                tracing::debug!(connection_id = %id, outcome = retryable.describe(), "event not delivered yet");
            }
            other => tracing::warn!(connection_id = %id, outcome = other.describe(), "event not delivered"),
        }
        outcome
    }

    /// Closes a connection whose right has expired. `$disconnect` then deletes its items. If the connection has already
    /// ended, this function deletes them.
    async fn close(&self, interest: &Interest) -> Sending {
        let connection_id = &interest.connection_id;
        tracing::info!(%connection_id, "closing a connection whose authorisation has expired");
        match self.management_api.close(connection_id).await {
            Ok(()) => {}
            Err(CloseError::Gone) => {
                self.forget(interest).await;
            }
            // The next event for the connection tries again. Until then the connection receives nothing.
            Err(error) => tracing::warn!(%connection_id, %error, "connection not closed"),
        }
        Sending::Resolved(Resolution::Expired)
    }

    /// Returns whether the connection has a record. If the table does not answer, the connection is assumed to be alive.
    async fn is_registered(&self, interest: &Interest) -> bool {
        match self.table.find(&interest.connection_id, self.clock.now()).await {
            Ok(connection) => connection.is_some(),
            Err(error) => {
                tracing::warn!(connection_id = %interest.connection_id, %error, "record of a connection not read");
                true
            }
        }
    }

    async fn forget(&self, interest: &Interest) -> Sending {
        let connection_id = &interest.connection_id;
        tracing::debug!(%connection_id, "forgetting a connection that has ended");
        if let Err(error) = self.table.forget_gone(interest).await {
            // The next event for the connection tries again.
            tracing::warn!(%connection_id, %error, "connection not forgotten");
        }
        Sending::Resolved(Resolution::Gone)
    }
}
