use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use entity_stream_clock::Clock;
use entity_stream_dead_letters::QueuedLetter;
use entity_stream_protocol::EpochMillis;
use serde_json::json;
use serde_json::value::RawValue;

use super::queue::{MessageAttribute, MessageQueue, QueueMessage};
use crate::settings::REGION;

/// The dead-letter queue.
#[derive(Debug)]
pub(crate) struct DeadLetters {
    queue: Mutex<MessageQueue>,
    /// The queue's own clock, as that of SQS.
    clock: Clock,
}

impl Default for DeadLetters {
    fn default() -> Self {
        Self { queue: Mutex::default(), clock: Clock::system() }
    }
}

/// An event whose invocations all failed.
#[derive(Clone, Debug)]
pub(crate) struct DeadLetter {
    /// The event as it was published.
    pub(crate) event: String,
    /// The error's type.
    pub(crate) error_code: String,
    /// The error's message.
    pub(crate) error_message: String,
    /// The number of attempts.
    pub(crate) attempts: usize,
}

impl DeadLetter {
    /// The record that Lambda sends to the destination of failures. The event is a part of it, byte for byte.
    /// Source: "Capturing records of Lambda asynchronous invocations", AWS Lambda Developer Guide.
    fn record(self, now: EpochMillis) -> String {
        let context = json!({
            "requestId": uuid::Uuid::new_v4().to_string(),
            "functionArn": format!("arn:aws:lambda:{REGION}:000000000000:function:broadcast:$LATEST"),
            "condition": "RetriesExhausted",
            "approximateInvokeCount": self.attempts,
        });
        let response = json!({ "statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled" });
        let error = json!({ "errorType": self.error_code, "errorMessage": self.error_message });
        let is_json = serde_json::from_str::<&RawValue>(&self.event).is_ok();
        let payload = if is_json { self.event } else { json!(self.event).to_string() };
        format!(
            r#"{{"version":"1.0","timestamp":"{}","requestContext":{context},"requestPayload":{payload},"responseContext":{response},"responsePayload":{error}}}"#,
            now.to_rfc3339()
        )
    }
}

impl DeadLetters {
    /// Adds an event whose invocations all failed.
    pub(crate) fn push(&self, letter: DeadLetter) {
        self.send(letter.record(self.now()), BTreeMap::new());
    }

    /// Adds a message. Returns its id.
    pub(crate) fn send(&self, body: String, attributes: BTreeMap<String, MessageAttribute>) -> String {
        let id = uuid::Uuid::new_v4().to_string();
        let now = self.now();
        let mut queue = self.queue();
        queue.send(id.clone(), body, attributes, now);
        if let Some(message) = queue.find(&id) {
            let letter = read(message);
            tracing::error!(
                message_id = id,
                kind = letter.kind.as_str(),
                error_code = letter.code,
                reason = letter.reason(),
                event_id = letter.event_id,
                attempts = letter.attempts,
                "dead letter: see the page, or `entity-stream dead-letters list`"
            );
        }
        id
    }

    /// The messages. The lock is held as long as the result lives.
    pub(crate) fn queue(&self) -> MutexGuard<'_, MessageQueue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The time of the queue's clock.
    pub(crate) fn now(&self) -> EpochMillis {
        self.clock.now()
    }

    pub(crate) fn count(&self) -> usize {
        self.queue().len()
    }
}

/// The form and the event of a message.
pub(crate) fn read(message: &QueueMessage) -> QueuedLetter<'_> {
    QueuedLetter::read(&message.body, |name| message.text(name))
}
