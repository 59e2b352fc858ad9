use axum::http::StatusCode;
use entity_stream_protocol::{InvalidJson, Tenant};
use entity_stream_simulation::Rate;
use serde::Deserialize;
use serde_json::{Value, json};

use super::refusal::RequestRefusal;
use crate::simulation::Simulated;
use crate::state::SystemState;

#[derive(Deserialize)]
struct SimulationRequest {
    tenant: String,
    rate: f64,
}

pub(super) fn status(state: &SystemState) -> Value {
    let running = state
        .simulation
        .wanted()
        .map(|simulated| json!({ "tenant": simulated.tenant.as_str(), "rate": simulated.rate.per_second() }));
    json!({ "available": state.simulation.is_followed(), "running": running })
}

pub(super) fn start(state: &SystemState, body: &str) -> Result<Value, RequestRefusal> {
    let refused = |message: String| RequestRefusal::new(StatusCode::BAD_REQUEST, message);
    let request: SimulationRequest = serde_json::from_str(body)
        .map_err(|error| refused(format!("{}; send {{\"tenant\":\"demo\",\"rate\":10}}", InvalidJson::new(&error))))?;
    let tenant = Tenant::parse(&request.tenant).map_err(|error| refused(error.to_string()))?;
    let rate = Rate::new(request.rate).map_err(|error| refused(error.to_string()))?;
    if !state.simulation.is_followed() {
        let message = "this system has no simulator: start it with `entity-stream local`";
        return Err(RequestRefusal::new(StatusCode::NOT_IMPLEMENTED, message));
    }
    state.simulation.set(Some(Simulated { tenant, rate }));
    Ok(status(state))
}

pub(super) fn stop(state: &SystemState) -> Value {
    state.simulation.set(None);
    status(state)
}
