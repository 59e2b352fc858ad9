use axum::http::StatusCode;
use entity_stream_protocol::EntityChange;
use entity_stream_publisher::CHANGE_DETAIL_TYPE;
use serde_json::{Value, json};

use super::refusal::RequestRefusal;
use crate::bus::put_events;
use crate::state::SystemState;

/// The `source` of the page's events.
const SOURCE: &str = "entity-stream.monitor";

/// Publishes one `detail`, byte for byte, through `PutEvents` as every event. A detail that could not be delivered is
/// refused at once, instead of becoming a dead letter.
pub(super) fn handle(state: &SystemState, detail: &str) -> Result<Value, RequestRefusal> {
    let refused = |message: String| RequestRefusal::new(StatusCode::BAD_REQUEST, message);
    EntityChange::parse(detail).map_err(|error| refused(error.to_string()))?;
    let entry = json!({ "Source": SOURCE, "DetailType": CHANGE_DETAIL_TYPE, "Detail": detail });
    let request = json!({ "Entries": [entry] }).to_string();
    let (answer, _) = put_events::handle(state, request.as_bytes()).map_err(|error| refused(error.message))?;
    let result = &answer["Entries"][0];
    match result["EventId"].as_str() {
        Some(id) => Ok(json!({ "id": id })),
        None => Err(refused(result["ErrorMessage"].as_str().unwrap_or("the bus refused the event").to_owned())),
    }
}
