//! The dead letters on the page: a list without values of entities, whole messages on demand, replay and deletion.

use axum::http::StatusCode;
use bytes::Bytes;
use entity_stream_dead_letters::LetterKind;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};

use super::refusal::RequestRefusal;
use crate::bus::{QueueMessage, read_letter};
use crate::functions::Function;
use crate::state::SystemState;

/// Maximum number of messages in the list of the page.
const SHOWN: usize = 100;

/// A message without values of the entity.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LetterSummary {
    id: String,
    sent_at: String,
    kind: LetterKind,
    error_code: String,
    reason: String,
    attempts: Option<u64>,
    event_id: Option<String>,
    tenant: Option<String>,
    replayable: bool,
}

/// A whole message.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WholeLetter {
    #[serde(flatten)]
    summary: LetterSummary,
    error_message: String,
    /// The event, byte for byte if it is JSON; otherwise as a string.
    event: Box<RawValue>,
}

impl LetterSummary {
    fn new(message: &QueueMessage) -> Self {
        let letter = read_letter(message);
        Self {
            id: message.id.clone(),
            sent_at: message.sent_at.to_rfc3339(),
            kind: letter.kind,
            reason: letter.reason(),
            replayable: letter.kind.useless_replay().is_none(),
            error_code: letter.code,
            attempts: letter.attempts,
            event_id: letter.event_id,
            tenant: letter.tenant,
        }
    }
}

impl WholeLetter {
    fn new(message: &QueueMessage) -> serde_json::Result<Self> {
        let letter = read_letter(message);
        let event = match RawValue::from_string(letter.payload.to_owned()) {
            Ok(event) => event,
            Err(_) => to_raw_value(letter.payload)?,
        };
        Ok(Self { summary: LetterSummary::new(message), error_message: letter.message, event })
    }
}

/// All messages, whole, the oldest first.
pub(super) fn whole(state: &SystemState) -> Result<String, RequestRefusal> {
    let whole: serde_json::Result<Vec<_>> = state.bus.dead_letters().queue().iter().map(WholeLetter::new).collect();
    text(whole)
}

/// The newest messages, the newest first, without values of entities.
pub(super) fn list(state: &SystemState) -> Value {
    let queue = state.bus.dead_letters().queue();
    let letters: Vec<_> = queue.iter().rev().take(SHOWN).map(LetterSummary::new).collect();
    json!({ "total": queue.len(), "letters": letters })
}

/// One message.
pub(super) fn show(state: &SystemState, id: &str) -> Result<String, RequestRefusal> {
    let queue = state.bus.dead_letters().queue();
    text(queue.find(id).ok_or_else(gone).map(WholeLetter::new)?)
}

/// Invokes the broadcast function with the message's event, and deletes the message if that succeeds.
pub(super) async fn replay(state: &SystemState, id: &str) -> Result<Value, RequestRefusal> {
    let payload = {
        let queue = state.bus.dead_letters().queue();
        let letter = read_letter(queue.find(id).ok_or_else(gone)?);
        if let Some(reason) = letter.kind.useless_replay() {
            return Err(RequestRefusal::new(StatusCode::CONFLICT, format!("not replayed: {reason}")));
        }
        Bytes::copy_from_slice(letter.payload.as_bytes())
    };
    let limit = state.config.times.broadcast_timeout;
    let output = state.functions.invoke(Function::Broadcast, payload, limit).await.map_err(|error| {
        RequestRefusal::new(StatusCode::BAD_GATEWAY, format!("the broadcast function failed: {error}"))
    })?;
    state.bus.dead_letters().queue().remove(id);
    Ok(json!({ "id": id, "result": serde_json::from_slice::<Value>(&output).unwrap_or_default() }))
}

pub(super) fn delete(state: &SystemState, id: &str) -> Result<Value, RequestRefusal> {
    state.bus.dead_letters().queue().remove(id).then(|| json!({ "deleted": 1 })).ok_or_else(gone)
}

pub(super) fn purge(state: &SystemState) -> Value {
    let mut queue = state.bus.dead_letters().queue();
    let deleted = queue.len();
    queue.purge();
    json!({ "deleted": deleted })
}

fn gone() -> RequestRefusal {
    RequestRefusal::new(StatusCode::NOT_FOUND, "the dead letter is gone")
}

fn text<T: Serialize>(value: serde_json::Result<T>) -> Result<String, RequestRefusal> {
    value.and_then(|value| serde_json::to_string(&value)).map_err(|error| {
        RequestRefusal::new(StatusCode::INTERNAL_SERVER_ERROR, format!("the dead letters cannot be shown: {error}"))
    })
}
