//! Closes connections that take nothing.
//!
//! Invariant: a connection is forgotten only after API Gateway has confirmed that it is closed. If its items were removed
//! first and the close then failed, the connection would stay open and receive nothing, without any sign to the client. As long
//! as its items exist, a repeated event finds it again.

use std::time::Duration;

use entity_stream_connections::Interest;
use entity_stream_delivery::{CloseError, backoff};
use entity_stream_runtime::Failure;
use futures_util::{StreamExt, stream};
use tokio::time::{Instant, sleep, timeout_at};

use crate::courier::Courier;
use crate::deadline::CLOSING;
use crate::recipients::Recipient;

/// The error type if a connection takes nothing and cannot be closed.
const NOT_CLOSED: &str = "ConnectionNotClosed";

impl Courier<'_> {
    /// Closes the connections of recipients that take nothing, `concurrency` at once. `settle` gets each recipient with its
    /// result: a failure if Lambda has to repeat the events, because a connection that stays open would miss them.
    pub(crate) async fn evict(
        &self,
        stuck: Vec<Recipient>,
        (concurrency, until): (usize, Instant),
        mut settle: impl FnMut(Recipient, Result<(), Failure>),
    ) {
        let evictions = stream::iter(stuck).map(async |recipient| {
            let mut result = Ok(());
            for interest in recipient.stuck() {
                let connection_id = &interest.connection_id;
                let reason = &recipient.reason;
                match self.close_stuck(interest, until).await {
                    Ok(()) => tracing::warn!(%connection_id, reason, "closed a connection that takes nothing"),
                    Err(error) => {
                        tracing::error!(%connection_id, reason, error, "a connection that takes nothing was not closed");
                        result = Err(Failure::new(NOT_CLOSED, format!("a connection takes nothing ({reason}) and could not be closed: {error}")));
                    }
                }
            }
            (recipient, result)
        });
        let mut evictions = std::pin::pin!(evictions.buffer_unordered(concurrency));
        while let Some((recipient, result)) = evictions.next().await {
            settle(recipient, result);
        }
    }

    /// Closes and forgets a connection. The error is the reason why it may still be open.
    async fn close_stuck(&self, interest: &Interest, until: Instant) -> Result<(), String> {
        let mut delays = backoff();
        // A close that comes too late for the history counts as a delivery that does.
        let permitted = self.permits.next(CLOSING).await;
        let until = permitted.map_or(until, |permitted| permitted.min(until));
        loop {
            let reason = match timeout_at(until, self.management_api.close(&interest.connection_id)).await {
                Ok(Ok(())) => break,
                Ok(Err(CloseError::Gone)) if !self.is_young(interest) => break,
                // A connection that is still opening answers 410 as well, and would stay open. If it has no record, another
                // invocation has closed it.
                Ok(Err(CloseError::Gone)) => match self.is_registered(interest).await {
                    Ok(false) => break,
                    Ok(true) => "410 for a connection younger than 30 seconds".to_owned(),
                    Err(reason) => reason,
                },
                Ok(Err(error)) if error.is_retryable() => error.to_string(),
                Ok(Err(error)) => return Err(error.to_string()),
                Err(_) => "@connections did not answer in time".to_owned(),
            };
            let delay: Duration = delays.next().unwrap_or_default();
            if Instant::now() + delay >= until {
                return Err(reason);
            }
            sleep(delay).await;
        }
        self.forget(interest).await;
        Ok(())
    }
}
