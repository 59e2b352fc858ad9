use std::sync::Arc;
use std::time::Duration;

use aws_config::SdkConfig;
use entity_stream_protocol::ConnectionId;
use tokio::time::{Instant, timeout, timeout_at};

use crate::adaptive_limit::{AdaptiveLimit, MOST, Turn};
use crate::backoff::{LONGEST_DELAY, backoff};
use crate::close::{CloseError, Closer};
use crate::endpoint::Endpoint;
use crate::message::Message;
use crate::outcome::Outcome;
use crate::signed_posts::SignedPosts;

/// The time-out of one call. API Gateway answers in milliseconds. A shorter time-out would send messages twice on a slow
/// machine.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);

/// The time after which a call no longer keeps others waiting.
const OVERDUE: Duration = Duration::from_secs(1);

/// The `@connections` API of one stage. Clones share the HTTP connections and the limit of concurrent calls.
#[derive(Clone, Debug)]
pub struct ManagementApi {
    posts: Arc<SignedPosts>,
    closer: Arc<Closer>,
    limit: Arc<AdaptiveLimit>,
}

impl ManagementApi {
    /// Creates a client of the API at `endpoint`. It takes credentials and region from `config`.
    pub fn new(config: &SdkConfig, endpoint: Endpoint) -> Self {
        Self {
            posts: Arc::new(SignedPosts::new(config, endpoint.clone())),
            closer: Arc::new(Closer::new(config, endpoint, ATTEMPT_TIMEOUT)),
            limit: Arc::new(AdaptiveLimit::new(MOST)),
        }
    }

    /// Limits the calls that run at once, at most 10,000, for all clones of the returned client. Other calls wait. The wait
    /// does not count toward the time-out of a call.
    #[must_use]
    pub fn at_most(self, calls: usize) -> Self {
        Self { limit: Arc::new(AdaptiveLimit::new(calls)), ..self }
    }

    /// Sends a message and tries once.
    pub async fn post(&self, id: &ConnectionId, message: &Message) -> Outcome {
        let turn = self.limit.turn().await;
        self.post_in_turn(&turn, id, message, Instant::now() + ATTEMPT_TIMEOUT).await
    }

    /// Sends a message and tries once. It sends nothing after `deadline`, however long it waits for its turn.
    pub async fn post_before(&self, id: &ConnectionId, message: &Message, deadline: Instant) -> Outcome {
        match timeout_at(deadline, self.limit.turn()).await {
            Ok(turn) if Instant::now() < deadline => {
                self.post_in_turn(&turn, id, message, deadline.min(Instant::now() + ATTEMPT_TIMEOUT)).await
            }
            _ => Outcome::Failed("the deadline passed before the message was sent".to_owned()),
        }
    }

    async fn post_in_turn(&self, turn: &Turn<'_>, id: &ConnectionId, message: &Message, until: Instant) -> Outcome {
        let mut sent = std::pin::pin!(timeout_at(until, self.posts.send(id, message)));
        let sent = match timeout(OVERDUE, &mut sent).await {
            Ok(sent) => sent,
            // The client may not read. Other connections do not wait for it.
            Err(_) => {
                turn.is_overdue();
                sent.await
            }
        };
        let outcome = match sent {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(reason)) => Outcome::Failed(reason),
            Err(_) => Outcome::Failed("@connections did not answer in time".to_owned()),
        };
        match outcome {
            Outcome::Throttled => turn.throttled(id),
            Outcome::Delivered => turn.succeeded(id),
            _ => {}
        }
        outcome
    }

    /// Sends a message and retries retryable outcomes with jittered backoff until `deadline`.
    pub async fn post_until(&self, id: &ConnectionId, message: &Message, deadline: Instant) -> Outcome {
        let mut delays = backoff();
        loop {
            let outcome = self.post_before(id, message, deadline).await;
            let delay = delays.next().unwrap_or(LONGEST_DELAY);
            if !outcome.is_retryable() || Instant::now() + delay >= deadline {
                return outcome;
            }
            tracing::debug!(connection_id = %id, outcome = outcome.describe(), "message not delivered yet");
            tokio::time::sleep(delay).await;
        }
    }

    /// Closes a connection and tries once. The client receives close code 1000; the API does not let the caller choose it.
    ///
    /// # Errors
    /// [`CloseError::Gone`] if the connection has already ended. Other errors leave the connection open.
    pub async fn close(&self, id: &ConnectionId) -> Result<(), CloseError> {
        let turn = self.limit.turn().await;
        let closed = self.closer.close(id).await;
        match closed {
            Ok(()) => turn.succeeded(id),
            Err(CloseError::Throttled) => turn.throttled(id),
            Err(_) => {}
        }
        closed
    }
}
