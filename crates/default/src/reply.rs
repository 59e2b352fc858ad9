use std::time::Duration;

use entity_stream_connections::Connection;
use entity_stream_delivery::{ManagementApi, Message, Outcome};
use entity_stream_protocol::{Answer, ConnectionId, EpochMillis};
use entity_stream_runtime::Failure;
use tokio::time::Instant;

/// The time for the delivery of past events and an answer.
const ANSWER_TIME: Duration = Duration::from_secs(12);

/// The reply to a client's message.
#[derive(Debug)]
pub(crate) struct Reply {
    /// Frames with past events, which come before the answer.
    pub(crate) frames: Vec<String>,
    pub(crate) answer: Answer,
    /// The end of the connection's right to receive events, if it ends before the connection.
    pub(crate) authorised_until: Option<EpochMillis>,
}

impl From<Answer> for Reply {
    fn from(answer: Answer) -> Self {
        Self { frames: Vec::new(), answer, authorised_until: None }
    }
}

impl Reply {
    /// An answer after past events to this connection.
    pub(crate) fn after(frames: Vec<String>, answer: Answer, connection: &Connection) -> Self {
        Self { frames, answer, authorised_until: connection.authorisation.until() }
    }

    /// Delivers the reply in its order.
    ///
    /// If a past event cannot be delivered in time, the connection is closed: the client would take the rest for all that it
    /// missed, and comes back with its former position.
    ///
    /// # Errors
    /// If the answer cannot be delivered, or the connection cannot be closed.
    pub(crate) async fn deliver(
        &self,
        management_api: &ManagementApi,
        to: &ConnectionId,
        now: EpochMillis,
    ) -> Result<(), Failure> {
        let deadline = Instant::now() + ANSWER_TIME;
        let right = self.authorised_until.map(|until| Instant::now() + until.since(now));
        let until = right.map_or(deadline, |right| right.min(deadline));
        for frame in &self.frames {
            match management_api.post_until(to, &Message::new(frame.clone()), until).await {
                Outcome::Delivered => {}
                Outcome::Gone => return Ok(()),
                outcome => {
                    tracing::warn!(outcome = outcome.describe(), "closing a connection that does not take past events");
                    let closed = management_api.close(to).await;
                    return closed.map_err(|error| Failure::new("ReplayNotDelivered", error.to_string()));
                }
            }
        }
        match management_api.post_until(to, &Message::new(self.answer.to_json()), deadline).await {
            Outcome::Delivered => Ok(()),
            Outcome::Gone => {
                tracing::debug!("the connection ended before its answer");
                Ok(())
            }
            outcome => {
                tracing::error!(outcome = outcome.describe(), "the answer could not be delivered");
                Err(Failure::new("AnswerNotDelivered", outcome.describe()))
            }
        }
    }
}
