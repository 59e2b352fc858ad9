//! The operations of SQS on the dead-letter queue, which is the only queue.
//! Source: "Actions", Amazon SQS API Reference.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::error::ApiError;
use super::queue::MessageAttribute;
use super::sqs_message::{AskedAttributes, described, md5, md5_of_attributes};
use crate::settings::REGION;
use crate::state::SystemState;

/// The visibility time-out if a request names none.
const VISIBILITY: u64 = 30;
/// The longest visibility time-out: 12 hours.
const LONGEST_VISIBILITY: u64 = 43_200;
/// The longest wait for messages.
const LONGEST_WAIT: u64 = 20;
/// The most messages of an answer.
const MOST_MESSAGES: u64 = 10;
/// The time between two looks while a request waits for messages.
const LOOK: Duration = Duration::from_millis(50);

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SendRequest {
    message_body: String,
    #[serde(default)]
    message_attributes: BTreeMap<String, MessageAttribute>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct ReceiveRequest {
    max_number_of_messages: u64,
    visibility_timeout: u64,
    wait_time_seconds: u64,
    attribute_names: Vec<String>,
    message_system_attribute_names: Vec<String>,
    message_attribute_names: Vec<String>,
}

impl Default for ReceiveRequest {
    fn default() -> Self {
        Self {
            max_number_of_messages: 1,
            visibility_timeout: VISIBILITY,
            wait_time_seconds: 0,
            attribute_names: Vec::new(),
            message_system_attribute_names: Vec::new(),
            message_attribute_names: Vec::new(),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DeleteRequest {
    receipt_handle: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct VisibilityRequest {
    receipt_handle: String,
    visibility_timeout: u64,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct AttributesRequest {
    attribute_names: Vec<String>,
}

/// Answers a request for this operation.
pub(crate) async fn handle(state: &SystemState, operation: &str, body: &[u8]) -> Result<Value, ApiError> {
    let letters = state.bus.dead_letters();
    match operation {
        "SendMessage" => {
            let SendRequest { message_body, message_attributes } = parse(body)?;
            let (of_body, of_attributes) = (md5(message_body.as_bytes()), md5_of_attributes(&message_attributes));
            let id = letters.send(message_body, message_attributes);
            Ok(json!({ "MessageId": id, "MD5OfMessageBody": of_body, "MD5OfMessageAttributes": of_attributes }))
        }
        "ReceiveMessage" => receive(state, parse(body)?).await,
        "DeleteMessage" => {
            let DeleteRequest { receipt_handle } = parse(body)?;
            letters.queue().delete(&receipt_handle).map(|()| json!({}))
        }
        "ChangeMessageVisibility" => {
            let VisibilityRequest { receipt_handle, visibility_timeout } = parse(body)?;
            within("VisibilityTimeout", visibility_timeout, 0, LONGEST_VISIBILITY)?;
            let (visibility, now) = (Duration::from_secs(visibility_timeout), letters.now());
            letters.queue().change_visibility(&receipt_handle, visibility, now).map(|()| json!({}))
        }
        "PurgeQueue" => {
            letters.queue().purge();
            Ok(json!({}))
        }
        "GetQueueAttributes" => Ok(attributes(state, &parse::<AttributesRequest>(body)?.attribute_names)),
        _ => Err(ApiError::new(
            "InvalidAction",
            "The local dead-letter queue takes SendMessage, ReceiveMessage, DeleteMessage, ChangeMessageVisibility, \
             PurgeQueue and GetQueueAttributes.",
        )),
    }
}

/// Waits for messages, and returns those that are visible.
async fn receive(state: &SystemState, request: ReceiveRequest) -> Result<Value, ApiError> {
    let most = within("MaxNumberOfMessages", request.max_number_of_messages, 1, MOST_MESSAGES)?;
    let visibility = within("VisibilityTimeout", request.visibility_timeout, 0, LONGEST_VISIBILITY)?;
    let wait = within("WaitTimeSeconds", request.wait_time_seconds, 0, LONGEST_WAIT)?;
    let (most, visibility) = (usize::try_from(most).unwrap_or(1), Duration::from_secs(visibility));
    let letters = state.bus.dead_letters();
    let deadline = Instant::now() + Duration::from_secs(wait);
    let received = loop {
        let received = letters.queue().receive(most, visibility, letters.now());
        if !received.is_empty() || Instant::now() >= deadline {
            break received;
        }
        sleep(LOOK).await;
    };
    if received.is_empty() {
        return Ok(json!({}));
    }
    let asked = AskedAttributes {
        system: [request.attribute_names, request.message_system_attribute_names].concat(),
        attributes: request.message_attribute_names,
    };
    let described: Vec<Value> = received.iter().map(|message| described(message, &asked)).collect();
    Ok(json!({ "Messages": described }))
}

fn attributes(state: &SystemState, names: &[String]) -> Value {
    let letters = state.bus.dead_letters();
    let now = letters.now();
    let queue = letters.queue();
    let in_flight = queue.in_flight(now);
    let all = [
        ("ApproximateNumberOfMessages", (queue.len() - in_flight).to_string()),
        ("ApproximateNumberOfMessagesNotVisible", in_flight.to_string()),
        ("ApproximateNumberOfMessagesDelayed", "0".to_owned()),
        ("VisibilityTimeout", VISIBILITY.to_string()),
        ("QueueArn", format!("arn:aws:sqs:{REGION}:000000000000:entity-stream-dead-letters")),
    ];
    let wanted = |name: &str| names.iter().any(|asked| asked == "All" || asked == name);
    let attributes: serde_json::Map<String, Value> =
        all.into_iter().filter(|(name, _)| wanted(name)).map(|(name, value)| (name.to_owned(), value.into())).collect();
    json!({ "Attributes": attributes })
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    serde_json::from_slice(body).map_err(|error| ApiError::new("SerializationException", error.to_string()))
}

fn within(name: &str, value: u64, least: u64, most: u64) -> Result<u64, ApiError> {
    if (least..=most).contains(&value) {
        return Ok(value);
    }
    let message = format!(
        "Value {value} for parameter {name} is invalid. Reason: Must be between {least} and {most}, if provided."
    );
    Err(ApiError::new("InvalidParameterValue", message))
}
