use std::collections::VecDeque;
use std::time::Duration;

use entity_stream_connections::Interest;
use entity_stream_delivery::{CloseError, Outcome, backoff};
use entity_stream_protocol::ConnectionId;
use entity_stream_protocol::limits::YOUNG_CONNECTION;
use tokio::time::Instant;

use crate::handler::Broadcast;
use crate::messages::Messages;
use crate::resolution::Resolution;
use crate::units::Unit;

/// A connection, or a consumer group, to whom the event is on its way.
pub(crate) struct Sending {
    /// Where it stands in every partition.
    pub(crate) hash: u64,
    /// What became of the members that were tried.
    pub(crate) outcomes: Vec<Resolution>,
    /// The members that are left, the first of them the one that is being tried.
    members: VecDeque<Interest>,
    attempts: usize,
}

impl Sending {
    pub(crate) fn new(unit: Unit) -> Self {
        let Unit { hash, members } = unit;
        Self { hash, members: members.into(), outcomes: Vec::new(), attempts: 0 }
    }

    /// Who is being tried.
    pub(crate) fn current(&self) -> Option<&ConnectionId> {
        self.members.front().map(|member| &member.connection_id)
    }

    /// How long to wait before the next attempt.
    pub(crate) fn delay(&self) -> Duration {
        backoff().nth(self.attempts.saturating_sub(1)).unwrap_or_default()
    }
}

/// What one attempt came to.
pub(crate) enum Attempt {
    /// One of the members got it, or none of them can.
    Over,
    /// Another attempt may do what this one, with this outcome, did not.
    Again(Resolution),
}

impl Broadcast {
    /// Tries once to send an event to a connection, or to the first member of a group that takes it, and does what the
    /// outcome asks for.
    pub(crate) async fn attempt(&self, messages: &Messages<'_>, sending: &mut Sending, deadline: Instant) -> Attempt {
        sending.attempts += 1;
        while let Some(member) = sending.members.front_mut() {
            let outcome = match self.send(messages, member, deadline).await {
                Sent::Finally(outcome) => outcome,
                Sent::NotYet(outcome) => return Attempt::Again(outcome),
            };
            sending.members.pop_front();
            let is_delivered = outcome == Resolution::Delivered;
            sending.outcomes.push(outcome);
            if is_delivered {
                break;
            }
        }
        Attempt::Over
    }

    async fn send(&self, messages: &Messages<'_>, interest: &mut Interest, deadline: Instant) -> Sent {
        let authorised_for = match self.authorised_for(interest).await {
            Authorised::For(time) => time,
            Authorised::NoLonger => return Sent::Finally(self.close(interest).await),
            Authorised::Unregistered => return Sent::Finally(self.forget(interest).await),
            Authorised::Unknown(reason) => return Sent::NotYet(Resolution::Failed(reason)),
        };
        let expiry = authorised_for.and_then(|time| Instant::now().checked_add(time));
        match self.post(messages, interest, expiry.map_or(deadline, |expiry| expiry.min(deadline))).await {
            // `@connections` answers 410 until `$connect` has returned, and the interest is in the table before that. A
            // connection that has really ended is told from one that is arriving by its record, which goes first.
            Outcome::Gone => {
                let is_young = interest.connection_age(self.clock.now()) < YOUNG_CONNECTION;
                if is_young && self.is_registered(interest).await {
                    return Sent::NotYet(Resolution::Failed("410 for a connection younger than 30 seconds".to_owned()));
                }
                Sent::Finally(self.forget(interest).await)
            }
            outcome if outcome.is_retryable() => Sent::NotYet(outcome.into()),
            outcome => Sent::Finally(outcome.into()),
        }
    }

    /// For how long the connection may still be sent something; for as long as it lives, without a time. What the
    /// interest says was read a while ago: before it counts as expired, the connection itself is asked.
    async fn authorised_for(&self, interest: &mut Interest) -> Authorised {
        let now = self.clock.now();
        let Some(until) = interest.authorised_until else { return Authorised::For(None) };
        if now < until {
            return Authorised::For(Some(until.since(now)));
        }
        match self.table.find(&interest.connection_id, now).await {
            Ok(Some(connection)) if connection.authorisation.is_valid(now) => {
                interest.authorised_until = connection.authorisation.until();
                Authorised::For(interest.authorised_until.map(|until| until.since(now)))
            }
            Ok(Some(_)) => Authorised::NoLonger,
            Ok(None) => Authorised::Unregistered,
            Err(error) => Authorised::Unknown(error.to_string()),
        }
    }

    /// Closes a connection whose authorisation has expired. `$disconnect` removes what is registered of it; where there
    /// is no connection left to close, that is done here.
    async fn close(&self, interest: &Interest) -> Resolution {
        tracing::info!(connection_id = %interest.connection_id, "closing a connection whose token has expired");
        match self.management_api.close(&interest.connection_id).await {
            Ok(()) => {}
            Err(CloseError::Gone) => {
                self.forget(interest).await;
            }
            // The next event that meets it will try again; until then it receives nothing.
            Err(error) => tracing::warn!(connection_id = %interest.connection_id, %error, "not closed"),
        }
        Resolution::Expired
    }

    async fn post(&self, messages: &Messages<'_>, interest: &Interest, deadline: Instant) -> Outcome {
        let id = &interest.connection_id;
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

    /// Whether the connection still has a record. If the table does not answer, it is taken to be alive.
    async fn is_registered(&self, interest: &Interest) -> bool {
        match self.table.find(&interest.connection_id, self.clock.now()).await {
            Ok(connection) => connection.is_some(),
            Err(error) => {
                tracing::warn!(connection_id = %interest.connection_id, %error, "could not look a connection up");
                true
            }
        }
    }

    async fn forget(&self, interest: &Interest) -> Resolution {
        tracing::debug!(connection_id = %interest.connection_id, "forgetting a connection that is gone");
        if let Err(error) = self.table.forget_gone(interest).await {
            // The next event that meets it will try again.
            tracing::warn!(connection_id = %interest.connection_id, %error, "could not forget a connection");
        }
        Resolution::Gone
    }
}

/// What came of sending to one connection once.
enum Sent {
    /// There is no more to it.
    Finally(Resolution),
    /// It may yet work.
    NotYet(Resolution),
}

/// Whether a connection may be sent something now.
enum Authorised {
    For(Option<Duration>),
    NoLonger,
    Unregistered,
    Unknown(String),
}
