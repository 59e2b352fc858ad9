use std::time::Duration;

use entity_stream_connections::Interest;
use entity_stream_delivery::{Outcome, backoff};
use entity_stream_protocol::limits::YOUNG_CONNECTION;
use tokio::time::Instant;

use crate::Broadcast;
use crate::messages::Messages;

impl Broadcast {
    /// Sends an event to one connection, and does what its outcome asks for.
    pub(crate) async fn send(&self, messages: &Messages<'_>, mut interest: Interest, deadline: Instant) -> Outcome {
        let mut delays = backoff();
        loop {
            let authorised_for = match self.authorised_for(&mut interest).await {
                Authorised::For(time) => time,
                Authorised::NoLonger => return self.close(&interest).await,
                Authorised::Unregistered => return self.forget(&interest).await,
                Authorised::Unknown(reason) => {
                    let delay = delays.next().unwrap_or_default();
                    if Instant::now() + delay >= deadline {
                        return Outcome::Failed(reason);
                    }
                    tokio::time::sleep(delay).await;
                    continue;
                }
            };
            let expiry = authorised_for.and_then(|time| Instant::now().checked_add(time));
            let outcome = self.post(messages, &interest, expiry.map_or(deadline, |expiry| expiry.min(deadline))).await;
            let delay = delays.next().unwrap_or_default();
            match outcome {
                // `@connections` answers 410 until `$connect` has returned, and the interest is in the table before
                // that. A connection that has really ended is told from one that is arriving by its record, which goes
                // first.
                Outcome::Gone => {
                    let is_young = interest.connection_age(self.clock.now()) < YOUNG_CONNECTION;
                    if !is_young || !self.is_registered(&interest).await {
                        return self.forget(&interest).await;
                    }
                    if Instant::now() + delay >= deadline {
                        return Outcome::Failed("410 for a connection younger than 30 seconds".to_owned());
                    }
                    tokio::time::sleep(delay).await;
                }
                // Time ran out because the authorisation was about to: it may have been renewed.
                outcome if outcome.is_retryable() && expiry.is_some_and(|expiry| expiry < deadline) => {
                    if Instant::now() + delay >= deadline {
                        return outcome;
                    }
                    tokio::time::sleep(delay).await;
                }
                outcome => return outcome,
            }
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
    async fn close(&self, interest: &Interest) -> Outcome {
        tracing::info!(connection_id = %interest.connection_id, "closing a connection whose token has expired");
        match self.management_api.close(&interest.connection_id).await {
            Outcome::Delivered => {}
            Outcome::Gone => {
                self.forget(interest).await;
            }
            // The next event that meets it will try again; until then it receives nothing.
            other => tracing::warn!(connection_id = %interest.connection_id, outcome = other.describe(), "not closed"),
        }
        Outcome::Expired
    }

    /// Sends an event to the first member of a group that takes it, and returns what became of each that was tried.
    pub(crate) async fn send_to_one(
        &self,
        messages: &Messages<'_>,
        members: Vec<Interest>,
        deadline: Instant,
    ) -> Vec<Outcome> {
        let mut outcomes = Vec::new();
        for member in members {
            let outcome = self.send(messages, member, deadline).await;
            let next = matches!(outcome, Outcome::Gone | Outcome::Expired);
            outcomes.push(outcome);
            if !next {
                break;
            }
        }
        outcomes
    }

    async fn post(&self, messages: &Messages<'_>, interest: &Interest, deadline: Instant) -> Outcome {
        let id = &interest.connection_id;
        let outcome = self.management_api.post_until(id, messages.message(interest.format), deadline).await;
        let outcome = if outcome == Outcome::TooLarge {
            self.management_api.post_until(id, messages.truncated(interest.format), deadline).await
        } else {
            outcome
        };
        match &outcome {
            Outcome::Delivered | Outcome::Gone => {}
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

    async fn forget(&self, interest: &Interest) -> Outcome {
        tracing::debug!(connection_id = %interest.connection_id, "forgetting a connection that is gone");
        if let Err(error) = self.table.forget_gone(interest).await {
            // The next event that meets it will try again.
            tracing::warn!(connection_id = %interest.connection_id, %error, "could not forget a connection");
        }
        Outcome::Gone
    }
}

/// Whether a connection may be sent something now.
enum Authorised {
    For(Option<Duration>),
    NoLonger,
    Unregistered,
    Unknown(String),
}
