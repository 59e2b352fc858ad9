use std::sync::Arc;
use std::time::Duration;

use entity_stream_clock::Clock;
use entity_stream_connections::{Interest, Table};
use entity_stream_delivery::{CloseError, ManagementApi, Message, Outcome};
use entity_stream_protocol::limits::YOUNG_CONNECTION;
use tokio::time::Instant;
use tracing::{Instrument, Span};

use crate::dispatcher::Carrier;
use crate::frames::Frames;
use crate::messages::{Form, Messages};
use crate::recipients::{Offer, Recipient};
use crate::recording::Permits;
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
    /// The frames of several events.
    pub(crate) frames: &'a Frames,
    pub(crate) permits: Permits<'a>,
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

/// A message for a connection.
enum Posting<'a> {
    Event { event: usize, form: &'a Form },
    Frame(&'a Message),
}

impl Carrier<Recipient> for Courier<'_> {
    /// Tries to send each event of a recipient, in the order of the batch, and to each of its members. A connection that
    /// refuses an event is offered no later event in the same attempt.
    async fn attempt(&self, recipient: &mut Recipient) -> Attempt {
        // The reason if the time ends during this attempt.
        "the connection did not answer in time".clone_into(&mut recipient.reason);
        recipient.begin_attempt();
        let now = || self.clock.now();
        let (mut delivered, bundled) = self.send_bundle(recipient).await;
        let mut next = bundled;
        loop {
            match next {
                None => {}
                Some(Sending::Resolved(resolution)) => {
                    delivered |= resolution == Resolution::Delivered;
                    recipient.resolve(resolution, now());
                }
                Some(Sending::NotYet(reason)) => recipient.refuse(reason),
                Some(Sending::TableFailed(reason)) => {
                    recipient.reason = reason;
                    return Attempt { delivered, rest: Rest::Failed };
                }
            }
            let Some(Offer { event, interest, forms, sent, has_another_member }) = recipient.next(now()) else { break };
            let until = if has_another_member { self.stop.min(Instant::now() + MEMBER_TIME) } else { self.stop };
            let span = self.spans[event].clone();
            let postings: Vec<_> = forms[*sent..].iter().map(|form| Posting::Event { event, form }).collect();
            next = Some(self.send(interest, &postings, sent, until).instrument(span).await);
        }
        Attempt { delivered, rest: if recipient.is_done() { Rest::Nothing } else { Rest::Refused } }
    }
}

impl Courier<'_> {
    /// Sends all events of a connection that takes several in a frame. Returns whether it took any, and the result of the frame
    /// that it did not take, which is that of the first event in it.
    async fn send_bundle(&self, recipient: &mut Recipient) -> (bool, Option<Sending>) {
        let Some((interest, bundle)) = recipient.bundle() else { return (false, None) };
        let mut messages = Vec::with_capacity(bundle.len());
        for (event, form) in &bundle {
            messages.push(self.write(*event, form).await);
        }
        let frames = self.frames.of(&bundle, &messages);
        let (mut postings, mut first) = (Vec::with_capacity(frames.len()), 0);
        for frame in &*frames {
            let (event, form) = &bundle[first];
            postings.push(match frame.messages {
                1 => Posting::Event { event: *event, form },
                _ => Posting::Frame(&frame.message),
            });
            first += frame.messages;
        }
        let mut sent = 0;
        let span = self.spans[bundle[0].0].clone();
        let sending = self.send(interest, &postings, &mut sent, self.stop).instrument(span).await;
        recipient.took(frames[..sent].iter().map(|frame| frame.messages).sum(), self.clock.now());
        let rest = (sent < frames.len()).then_some(sending);
        // The result of the rest is that of the next event.
        let rest = rest.filter(|_| recipient.next(self.clock.now()).is_some());
        (sent > 0, rest)
    }

    /// Sends messages to a connection until it refuses one. `sent` counts those that it took.
    async fn send(
        &self,
        interest: &mut Interest,
        postings: &[Posting<'_>],
        sent: &mut usize,
        until: Instant,
    ) -> Sending {
        let right = match self.right(interest).await {
            Right::For(time) => time,
            Right::Expired => return self.close(interest).await,
            Right::Unregistered => return self.forget_ended(interest).await,
            Right::Unknown(reason) => return Sending::TableFailed(reason),
        };
        let expiry = right.and_then(|time| Instant::now().checked_add(time));
        let deadline = expiry.map_or(until, |expiry| expiry.min(until));
        let mut outcome = Outcome::Delivered;
        for posting in postings {
            let permitted = self.permits.next(POST_TIME).await;
            let deadline = permitted.map_or(deadline, |permitted| permitted.min(deadline));
            outcome = self.post(interest, posting, deadline).await;
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

    /// Writes the message of an event in a form, in a turn if that takes long.
    async fn write(&self, event: usize, form: &Form) -> Arc<Message> {
        let messages = &self.messages[event];
        if messages.is_at_hand(form) {
            return messages.message(form);
        }
        let _turn = self.turns.next().await;
        messages.message(form)
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

    async fn post(&self, interest: &Interest, posting: &Posting<'_>, deadline: Instant) -> Outcome {
        let id = &interest.connection_id;
        let outcome = match posting {
            Posting::Frame(message) => self.management_api.post_before(id, message, deadline).await,
            Posting::Event { event, form } => {
                let message = self.write(*event, form).await;
                match self.management_api.post_before(id, &message, deadline).await {
                    Outcome::TooLarge => {
                        let truncated = self.messages[*event].truncated(form);
                        self.management_api.post_before(id, &truncated, deadline).await
                    }
                    outcome => outcome,
                }
            }
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
