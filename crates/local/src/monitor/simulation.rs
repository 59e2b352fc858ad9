use axum::http::StatusCode;
use entity_stream_protocol::{InvalidJson, Tenant};
use entity_stream_simulation::{EventForm, NgsiFormat, Rate};
use serde::Deserialize;
use serde_json::{Value, json};

use super::refusal::RequestRefusal;
use crate::simulation::Simulated;
use crate::state::SystemState;

#[derive(Deserialize)]
struct SimulationRequest {
    tenant: String,
    rate: f64,
    /// The default format if it is absent.
    format: Option<String>,
    #[serde(default)]
    partial: bool,
}

pub(super) fn status(state: &SystemState) -> Value {
    let running = state.simulation.wanted().map(|Simulated { tenant, rate, form }| {
        json!({
            "tenant": tenant.as_str(),
            "rate": rate.per_second(),
            "format": form.format.as_str(),
            "partial": form.partial,
        })
    });
    json!({ "available": state.simulation.is_followed(), "running": running })
}

pub(super) fn start(state: &SystemState, body: &str) -> Result<Value, RequestRefusal> {
    let refused = |message: String| RequestRefusal::new(StatusCode::BAD_REQUEST, message);
    let request: SimulationRequest = serde_json::from_str(body)
        .map_err(|error| refused(format!("{}; send {{\"tenant\":\"demo\",\"rate\":10}}", InvalidJson::new(&error))))?;
    let tenant = Tenant::parse(&request.tenant).map_err(|error| refused(error.to_string()))?;
    let rate = Rate::new(request.rate).map_err(|error| refused(error.to_string()))?;
    let format = request.format.as_deref().map_or(Ok(NgsiFormat::default()), str::parse);
    let format = format.map_err(|error| refused(error.to_string()))?;
    if !state.simulation.is_followed() {
        let message = "this system has no simulator: start it with `entity-stream local`";
        return Err(RequestRefusal::new(StatusCode::NOT_IMPLEMENTED, message));
    }
    state.simulation.set(Some(Simulated { tenant, rate, form: EventForm { format, partial: request.partial } }));
    Ok(status(state))
}

pub(super) fn stop(state: &SystemState) -> Value {
    state.simulation.set(None);
    status(state)
}
