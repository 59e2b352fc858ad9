//! `PutEvents`: "PutEvents", Amazon EventBridge API Reference.

use std::collections::HashMap;
use std::time::Duration;

use entity_stream_protocol::InvalidJson;
use jiff::Timestamp;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::error::ApiError;
use super::fair_queue::QueueFull;
use super::queued_event::is_continuation;
use super::rule;
use crate::gateway::timestamp;
use crate::settings::{EVENT_BUS, REGION};
use crate::state::SystemState;

/// Maximum number of entries in one request.
const ENTRIES: usize = 10;
/// The entries of one request have fewer bytes than this together.
const TOTAL_BYTES: usize = 1024 * 1024;
/// Longest `DetailType`, in characters.
const DETAIL_TYPE_LENGTH: usize = 128;
/// The bytes that an entry's `Time` counts for.
const TIME_BYTES: usize = 14;
/// The explanation of a refusal for want of room.
const THROTTLED: &str = "Rate exceeded. The bus holds as many undelivered events of this tenant as it can.";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PutEventsRequest {
    #[serde(default)]
    entries: Vec<PutEventsEntry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PutEventsEntry {
    source: Option<String>,
    detail_type: Option<String>,
    detail: Option<String>,
    time: Option<f64>,
    #[serde(default)]
    resources: Option<Vec<String>>,
    event_bus_name: Option<String>,
}

/// The envelope that EventBridge gives to Lambda.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct BusEnvelope<'a> {
    version: &'static str,
    id: &'a str,
    detail_type: &'a str,
    source: &'a str,
    account: &'static str,
    time: String,
    region: &'static str,
    resources: &'a [String],
    detail: Box<RawValue>,
}

struct PutEventsEntryError {
    code: &'static str,
    message: String,
}

/// Accepts or refuses each entry by itself; the results have the entries' order. Returns the answer, and the time to wait before
/// it.
pub(crate) fn handle(state: &SystemState, body: &[u8]) -> Result<(Value, Duration), ApiError> {
    let request: PutEventsRequest = serde_json::from_slice(body)
        .map_err(|error| ApiError::new("SerializationException", InvalidJson::new(&error).to_string()))?;
    let entries = request.entries;
    if !(1..=ENTRIES).contains(&entries.len()) {
        let bound = if entries.is_empty() {
            "greater than or equal to 1".to_owned()
        } else {
            format!("less than or equal to {ENTRIES}")
        };
        return Err(ApiError::validation(format!(
            "1 validation error detected: Value '[PutEventsRequestEntry]' at 'entries' failed to satisfy constraint: \
             Member must have length {bound}"
        )));
    }
    if entries.iter().map(PutEventsEntry::bytes).sum::<usize>() >= TOTAL_BYTES {
        return Err(ApiError::validation("Total size of the entries in the request is over the limit."));
    }
    // A continuation is the rest of an accepted event.
    let is_new = |entry: &PutEventsEntry| !is_continuation(entry.source.as_deref().unwrap_or_default());
    if state.bus.is_draining() && entries.iter().any(is_new) {
        return Err(ApiError::stopping());
    }
    let now = timestamp(state.config.clock.now().millis());
    let (mut failed, mut wait) = (0, Duration::ZERO);
    let results: Vec<Value> = entries
        .iter()
        .map(|entry| match accept(entry, now) {
            Ok((id, event, matched)) => {
                if !entry.is_for_our_bus() {
                    tracing::warn!(
                        event_id = id,
                        "an event is for an event bus that does not exist: it reaches no client; the bus is {EVENT_BUS:?}"
                    );
                } else if !matched {
                    tracing::info!(event_id = id, "published event matches no rule: its detail.type is no change type");
                } else {
                    match enqueue(state, entry, event) {
                        Ok(longer) => wait = wait.max(longer),
                        Err(QueueFull) => {
                            failed += 1;
                            return json!({ "ErrorCode": "ThrottlingException", "ErrorMessage": THROTTLED });
                        }
                    }
                }
                json!({ "EventId": id })
            }
            Err(error) => {
                failed += 1;
                json!({ "ErrorCode": error.code, "ErrorMessage": error.message })
            }
        })
        .collect();
    Ok((json!({ "FailedEntryCount": failed, "Entries": results }), wait))
}

/// Passes an event on to the rule's target, if there is room for it.
fn enqueue(state: &SystemState, entry: &PutEventsEntry, event: String) -> Result<Duration, QueueFull> {
    state.bus.accept(entry.source.as_deref().unwrap_or_default(), entry.detail.as_deref().unwrap_or_default(), event)
}

impl PutEventsEntry {
    /// Source: "Calculating PutEvents event entry size", Amazon EventBridge User Guide.
    fn bytes(&self) -> usize {
        let texts = [&self.source, &self.detail_type, &self.detail];
        let resources = self.resources.iter().flatten().map(String::len).sum::<usize>();
        let time = if self.time.is_some() { TIME_BYTES } else { 0 };
        texts.into_iter().flatten().map(String::len).sum::<usize>() + resources + time
    }

    /// True for the name or the ARN of the one bus, or for neither. AWS accepts events for a bus that does not exist, and
    /// drops them.
    fn is_for_our_bus(&self) -> bool {
        let name = self.event_bus_name.as_deref().unwrap_or(EVENT_BUS);
        let of_arn = || name.strip_prefix("arn:")?.rsplit_once(":event-bus/").map(|(_, name)| name);
        name == EVENT_BUS || of_arn() == Some(EVENT_BUS)
    }

    fn missing(&self) -> Option<&'static str> {
        let is_missing = |text: &Option<String>| text.as_deref().unwrap_or_default().is_empty();
        [("Source", &self.source), ("DetailType", &self.detail_type), ("Detail", &self.detail)]
            .into_iter()
            .find_map(|(name, text)| is_missing(text).then_some(name))
    }
}

fn accept(entry: &PutEventsEntry, now: Timestamp) -> Result<(String, String, bool), PutEventsEntryError> {
    if let Some(name) = entry.missing() {
        let message = format!("Parameter {name} is not valid. Reason: {name} is a required argument.");
        return Err(PutEventsEntryError { code: "InvalidArgument", message });
    }
    if entry.detail_type.as_deref().unwrap_or_default().chars().count() > DETAIL_TYPE_LENGTH {
        let message = format!(
            "Parameter DetailType is not valid. Reason: DetailType has at most {DETAIL_TYPE_LENGTH} characters."
        );
        return Err(PutEventsEntryError { code: "InvalidArgument", message });
    }
    let (source, detail_type) =
        (entry.source.as_deref().unwrap_or_default(), entry.detail_type.as_deref().unwrap_or_default());
    if source.starts_with("aws.") {
        let message = "Not authorized for the source.".to_owned();
        return Err(PutEventsEntryError { code: "NotAuthorizedForSourceException", message });
    }
    let malformed = || PutEventsEntryError { code: "MalformedDetail", message: "Detail is malformed.".to_owned() };
    let detail = entry.detail.clone().unwrap_or_default();
    // An object; its values are not read, because a number may be larger than any type of ours.
    serde_json::from_str::<HashMap<String, IgnoredAny>>(&detail).map_err(|_| malformed())?;
    let matched = rule::matches(&detail);
    let time = match entry.time {
        Some(seconds) => time_of(seconds).ok_or_else(|| PutEventsEntryError {
            code: "InvalidArgument",
            message: "Parameter Time is not valid. Reason: Time is in seconds since the epoch.".to_owned(),
        })?,
        None => now,
    };
    let id = uuid::Uuid::new_v4().to_string();
    let envelope = BusEnvelope {
        version: "0",
        id: &id,
        detail_type,
        source,
        account: "000000000000",
        time: time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        region: REGION,
        resources: entry.resources.as_deref().unwrap_or_default(),
        detail: RawValue::from_string(detail).map_err(|_| malformed())?,
    };
    let event = serde_json::to_string(&envelope).map_err(|_| malformed())?;
    Ok((id, event, matched))
}

// EventBridge drops fractions of a second too.
fn time_of(seconds: f64) -> Option<Timestamp> {
    Timestamp::from_second(seconds as i64).ok()
}
