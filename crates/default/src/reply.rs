use std::time::Duration;

use entity_stream_connections::Connection;
use entity_stream_delivery::{ManagementApi, Message, Outcome};
use entity_stream_protocol::{Answer, ConnectionId, EpochMillis};
use entity_stream_runtime::Failure;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

/// The time for the delivery of past events and an answer.
const ANSWER_TIME: Duration = Duration::from_secs(12);
/// The part of it that is left for an answer in place of the rest of the past events.
const LATE_ANSWER_TIME: Duration = Duration::from_secs(2);

/// The reply to a client's message.
#[derive(Debug)]
pub(crate) struct Reply {
    /// Frames with past events, which come before the answer.
    pub(crate) frames: Vec<String>,
    pub(crate) answer: Answer,
    /// The answer if the past events take too long; `None` if the client must not get a part of them.
    pub(crate) late_answer: Option<Answer>,
    /// The end of the connection's right to receive events, if it ends before the connection.
    pub(crate) authorised_until: Option<EpochMillis>,
    /// The turn of an exchange. Other exchanges wait until the reply is delivered and dropped.
    #[expect(dead_code, reason = "the end of the reply ends the turn")]
    pub(crate) turn: Option<OwnedSemaphorePermit>,
}

impl From<Answer> for Reply {
    fn from(answer: Answer) -> Self {
        Self { frames: Vec::new(), answer, late_answer: None, authorised_until: None, turn: None }
    }
}

impl Reply {
    /// An answer after past events to this connection.
    pub(crate) fn after(frames: Vec<String>, answer: Answer, connection: &Connection) -> Self {
        let authorised_until = connection.authorisation.until();
        Self { frames, answer, late_answer: None, authorised_until, turn: None }
    }

    /// Delivers the reply in its order.
    ///
    /// If a past event cannot be delivered in time, the client gets the late answer. Without one, the connection is closed: the
    /// client would take the rest for all that it missed, and comes back with its former position.
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
        let frames_until = if self.late_answer.is_some() { deadline - LATE_ANSWER_TIME } else { deadline };
        let until = right.map_or(frames_until, |right| right.min(frames_until));
        let answer = match self.deliver_frames(management_api, to, until).await {
            Outcome::Delivered => &self.answer,
            Outcome::Gone => return Ok(()),
            outcome => {
                let has_right = right.is_none_or(|right| Instant::now() < right);
                let Some(late_answer) = self.late_answer.as_ref().filter(|_| has_right) else {
                    tracing::warn!(outcome = outcome.describe(), "closing a connection that does not take past events");
                    let closed = management_api.close(to).await;
                    return closed.map_err(|error| Failure::new("ReplayNotDelivered", error.to_string()));
                };
                tracing::info!(outcome = outcome.describe(), "the moment of an exchange takes too long");
                late_answer
            }
        };
        match management_api.post_until(to, &Message::new(answer.to_json()), deadline).await {
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

    /// Delivers the past events one after the other, which keeps their order. Returns the outcome of the last one.
    async fn deliver_frames(&self, management_api: &ManagementApi, to: &ConnectionId, until: Instant) -> Outcome {
        for frame in &self.frames {
            let outcome = management_api.post_until(to, &Message::new(frame.clone()), until).await;
            if !matches!(outcome, Outcome::Delivered) {
                return outcome;
            }
        }
        Outcome::Delivered
    }
}
