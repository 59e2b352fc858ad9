use std::time::Duration;

use entity_stream_clock::Clock;
use entity_stream_connections::{Interest, Table};
use entity_stream_delivery::{CloseError, ManagementApi, Outcome};
use entity_stream_protocol::limits::YOUNG_CONNECTION;
use tokio::time::Instant;
use tracing::{Instrument, Span};

use crate::batch::EventBatch;
use crate::dispatcher::Carrier;
use crate::messages::{Form, Messages};
use crate::recipients::{Offer, Recipient};
use crate::recording::Recording;
use crate::resolution::{Resolution, Sending};
use crate::schedule::{Attempt, Rest};
use crate::table_time::within_table_time;
use crate::work_turns::TenantTurns;

/// The time that a member of a group has to take an event before the next member is tried.
const MEMBER_TIME: Duration = Duration::from_secs(2);

/// The longest time of a delivery. API Gateway answers in milliseconds; a delivery that is cut off is tried again.
const POST_TIME: Duration = Duration::from_secs(2);

/// Sends the events of a batch to recipients, and acts on the outcomes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Courier<'a> {
    pub(crate) table: &'a Table,
    pub(crate) management_api: &'a ManagementApi,
    pub(crate) clock: &'a Clock,
    /// The messages of each event.
    pub(crate) messages: &'a [Messages<'a>],
    pub(crate) batch: &'a EventBatch<'a>,
    /// The record of the batch in the history.
    pub(crate) recording: &'a Recording<'a>,
    /// The turns in which messages are written.
    pub(crate) turns: &'a TenantTurns,
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
    /// Tries to send each event of a recipient, in the order of the batch, and to each of its members. A connection that
    /// refuses an event is offered no later event in the same attempt.
    async fn attempt(&self, recipient: &mut Recipient) -> Attempt {
        // The reason if the time ends during this attempt.
        "the connection did not answer in time".clone_into(&mut recipient.reason);
        recipient.begin_attempt();
        let mut delivered = false;
        let now = || self.clock.now();
        while let Some(offer) = recipient.next(now()) {
            let until = if offer.has_another_member { self.stop.min(Instant::now() + MEMBER_TIME) } else { self.stop };
            let span = self.spans[offer.event].clone();
            let sending = self.send(offer, until).instrument(span).await;
            match sending {
                Sending::Resolved(resolution) => {
                    delivered |= resolution == Resolution::Delivered;
                    recipient.resolve(resolution, now());
                }
                Sending::NotYet(reason) => recipient.refuse(reason),
                Sending::TableFailed(reason) => {
                    recipient.reason = reason;
                    return Attempt { delivered, rest: Rest::Failed };
                }
            }
        }
        Attempt { delivered, rest: if recipient.is_done() { Rest::Nothing } else { Rest::Refused } }
    }
}

impl Courier<'_> {
    async fn send(&self, offer: Offer<'_>, until: Instant) -> Sending {
        let Offer { event, interest, forms, sent, .. } = offer;
        let right = match self.right(interest).await {
            Right::For(time) => time,
            Right::Expired => return self.close(interest).await,
            Right::Unregistered => return self.forget_ended(interest).await,
            Right::Unknown(reason) => return Sending::TableFailed(reason),
        };
        let expiry = right.and_then(|time| Instant::now().checked_add(time));
        let deadline = expiry.map_or(until, |expiry| expiry.min(until));
        let mut outcome = Outcome::Delivered;
        for form in &forms[*sent..] {
            let permitted = self.recording.permit(self.batch, POST_TIME).await;
            let deadline = permitted.map_or(deadline, |permitted| permitted.min(deadline));
            outcome = self.post(event, interest, form, deadline).await;
            if outcome != Outcome::Delivered {
                break;
            }
            *sent += 1;
        }
        match outcome {
            // `@connections` answers 410 until `$connect` has returned, but the interest is already in the table. The record
            // tells a connection that has ended from one that is opening: `disconnect` deletes it first.
            Outcome::Gone if self.is_young(interest) => match self.is_registered(interest).await {
                Ok(true) => Sending::NotYet("410 for a connection younger than 30 seconds".to_owned()),
                Ok(false) => self.forget_ended(interest).await,
                Err(reason) => Sending::TableFailed(reason),
            },
            Outcome::Gone => self.forget_ended(interest).await,
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
        match within_table_time("GetItem", self.table.find(&interest.connection_id, now)).await {
            Ok(Some(connection)) if connection.authorisation.is_valid(now) => {
                interest.authorised_until = connection.authorisation.until();
                Right::For(interest.authorised_until.map(|until| until.since(now)))
            }
            Ok(Some(_)) => Right::Expired,
            Ok(None) => Right::Unregistered,
            Err(error) => Right::Unknown(error.to_string()),
        }
    }

    async fn post(&self, event: usize, interest: &Interest, form: &Form, deadline: Instant) -> Outcome {
        let (id, messages) = (&interest.connection_id, &self.messages[event]);
        let message = if messages.is_at_hand(form) {
            messages.message(form)
        } else {
            let _turn = self.turns.next().await;
            messages.message(form)
        };
        let outcome = self.management_api.post_before(id, &message, deadline).await;
        let outcome = if outcome == Outcome::TooLarge {
            self.management_api.post_before(id, &messages.truncated(form), deadline).await
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
            Err(CloseError::Gone) => self.forget(interest).await,
            // The next event for the connection tries again. Until then the connection receives nothing.
            Err(error) => tracing::warn!(%connection_id, %error, "connection not closed"),
        }
        Sending::Resolved(Resolution::Expired)
    }

    pub(crate) fn is_young(&self, interest: &Interest) -> bool {
        interest.connection_age(self.clock.now()) < YOUNG_CONNECTION
    }

    /// Returns whether the connection has a record. The error is the reason why the table did not answer.
    pub(crate) async fn is_registered(&self, interest: &Interest) -> Result<bool, String> {
        let found = within_table_time("GetItem", self.table.find(&interest.connection_id, self.clock.now())).await;
        found.map(|connection| connection.is_some()).map_err(|error| error.to_string())
    }

    async fn forget_ended(&self, interest: &Interest) -> Sending {
        self.forget(interest).await;
        Sending::Resolved(Resolution::Gone)
    }

    pub(crate) async fn forget(&self, interest: &Interest) {
        let connection_id = &interest.connection_id;
        tracing::debug!(%connection_id, "forgetting a connection that has ended");
        if let Err(error) = within_table_time("DeleteItem", self.table.forget_gone(interest)).await {
            // The next event for the connection tries again.
            tracing::warn!(%connection_id, %error, "connection not forgotten");
        }
    }
}
