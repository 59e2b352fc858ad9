//! `SendMessage` of SQS, for the dead-letter queue only: the broadcast function sends dead letters itself.

use std::collections::HashMap;

use entity_stream_protocol::InvalidJson;
use md5::{Digest, Md5};
use serde::Deserialize;
use serde_json::{Value, json};

use super::dead_letters::DeadLetter;
use super::error::ApiError;
use crate::state::SystemState;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SendMessageRequest {
    message_body: String,
    #[serde(default)]
    message_attributes: HashMap<String, MessageAttribute>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct MessageAttribute {
    #[serde(default)]
    string_value: String,
}

pub(crate) fn handle(state: &SystemState, body: &[u8]) -> Result<Value, ApiError> {
    let request: SendMessageRequest = serde_json::from_slice(body)
        .map_err(|error| ApiError::new("SerializationException", InvalidJson::new(&error).to_string()))?;
    let digest = Md5::digest(request.message_body.as_bytes());
    let md5: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    let attribute =
        |name: &str| request.message_attributes.get(name).map(|value| value.string_value.clone()).unwrap_or_default();
    state.bus.dead_letters().push(DeadLetter {
        error_code: attribute("ErrorCode"),
        error_message: attribute("ErrorMessage"),
        event: request.message_body,
        attempts: 1,
    });
    Ok(json!({ "MessageId": uuid::Uuid::new_v4().to_string(), "MD5OfMessageBody": md5 }))
}
