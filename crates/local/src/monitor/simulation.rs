use axum::http::StatusCode;
use entity_stream_protocol::Tenant;
use entity_stream_simulation::Rate;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Refusal;
use crate::simulation::Simulated;
use crate::state::State;

#[derive(Deserialize)]
struct Request {
    tenant: String,
    rate: f64,
}

pub(super) fn status(state: &State) -> Value {
    let running = state
        .simulation
        .wanted()
        .map(|simulated| json!({ "tenant": simulated.tenant.as_str(), "rate": simulated.rate.per_second() }));
    json!({ "available": state.simulation.is_followed(), "running": running })
}

pub(super) fn start(state: &State, body: &str) -> Result<Value, Refusal> {
    let refused = |message: String| Refusal::new(StatusCode::BAD_REQUEST, message);
    let request: Request = serde_json::from_str(body)
        .map_err(|error| refused(format!("{error}; send {{\"tenant\":\"demo\",\"rate\":10}}")))?;
    let tenant = Tenant::parse(&request.tenant).map_err(|error| refused(error.to_string()))?;
    let rate = Rate::new(request.rate).map_err(|error| refused(error.to_string()))?;
    if !state.simulation.is_followed() {
        let message = "this system was started without a simulator: `entity-stream local` has one";
        return Err(Refusal::new(StatusCode::NOT_IMPLEMENTED, message));
    }
    state.simulation.set(Some(Simulated { tenant, rate }));
    Ok(status(state))
}

pub(super) fn stop(state: &State) -> Value {
    state.simulation.set(None);
    status(state)
}
