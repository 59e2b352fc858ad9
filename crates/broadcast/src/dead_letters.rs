use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::DisplayErrorContext;
use aws_sdk_sqs::types::MessageAttributeValue;
use entity_stream_runtime::Failure;
use tokio::time::timeout;

/// The time that the queue has to accept a message. It is less than the time that an invocation keeps for this purpose.
const SEND_TIMEOUT: Duration = Duration::from_millis(2500);

/// The queue for undeliverable events, and for the rest of events that were handed on too often.
///
/// The function sends them itself. If it failed instead, Lambda would retry the event twice before it sends the event to its
/// dead-letter queue.
#[derive(Clone, Debug)]
pub(crate) struct DeadLetterQueue {
    client: Client,
    url: String,
}

impl DeadLetterQueue {
    /// The queue at this URL.
    pub(crate) fn new(client: Client, url: impl Into<String>) -> Self {
        Self { client, url: url.into() }
    }

    /// Sends an event in the form of Lambda's own dead letters: the event is the body, and attributes hold the error.
    /// Source: "Capturing records of Lambda asynchronous invocations", AWS Lambda Developer Guide.
    pub(crate) async fn send(&self, event: &str, code: &str, reason: &str) -> Result<(), Failure> {
        let message = self
            .client
            .send_message()
            .queue_url(&self.url)
            .message_body(event)
            .message_attributes("ErrorCode", text(code)?)
            .message_attributes("ErrorMessage", text(reason)?);
        let sent = timeout(SEND_TIMEOUT, message.send()).await.map_err(|_| unavailable("no answer in time"))?;
        sent.map(|_| ()).map_err(|error| unavailable(DisplayErrorContext(error).to_string()))
    }
}

fn text(value: &str) -> Result<MessageAttributeValue, Failure> {
    MessageAttributeValue::builder()
        .data_type("String")
        .string_value(value)
        .build()
        .map_err(|error| unavailable(error.to_string()))
}

fn unavailable(reason: impl Into<String>) -> Failure {
    Failure::new("DeadLetterQueueUnavailable", reason)
}
