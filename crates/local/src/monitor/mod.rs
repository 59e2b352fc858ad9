//! The monitor page, and the requests that only the page makes: all under `/_local/`.
//!
//! The page streams through an ordinary WebSocket, as any client does.

mod assets;
mod connections;
mod dead_letters;
mod headers;
mod publish;
mod refusal;
mod simulation;

use axum::body::Body;
use axum::extract::Request;
use axum::http::{Method, Response, StatusCode, header};
use serde_json::{Value, json};

use self::headers::no_store;
use self::refusal::RequestRefusal;
use crate::aws_error;
use crate::config::FunctionHost;
use crate::door::BodyError;
use crate::state::SystemState;

pub(crate) use self::assets::{page, wants_page};

/// Largest request that is read: an event may have 1 MB.
const BODY_BYTES: usize = 1024 * 1024;

/// Answers a request under `/_local/`.
pub(crate) async fn handle(state: &SystemState, path: &[&str], request: Request) -> Response<Body> {
    if let ["monitor", name] = path {
        return assets::asset(name);
    }
    match answer(state, path, request).await {
        Ok(body) => no_store(aws_error::answer(StatusCode::OK, "application/json", body)),
        Err(refusal) => refusal.into_response(),
    }
}

async fn answer(state: &SystemState, path: &[&str], request: Request) -> Result<String, RequestRefusal> {
    let method = request.method().clone();
    match (path, method) {
        (["dead-letters"], Method::GET) => dead_letters::whole(state),
        (["dead-letters"], Method::DELETE) => Ok(dead_letters::purge(state).to_string()),
        (["dead-letters", "summary"], Method::GET) => Ok(dead_letters::list(state).to_string()),
        (["dead-letters", id], Method::GET) => dead_letters::show(state, id),
        (["dead-letters", id], Method::DELETE) => Ok(dead_letters::delete(state, id)?.to_string()),
        (["dead-letters", id, "replay"], Method::POST) => Ok(dead_letters::replay(state, id).await?.to_string()),
        (["status"], Method::GET) => Ok(status(state).to_string()),
        (["connections"], Method::GET) => Ok(connections::list(state).await.to_string()),
        (["events"], Method::POST) => Ok(publish::handle(state, &body(state, request).await?)?.to_string()),
        (["simulation"], Method::PUT) => Ok(simulation::start(state, &body(state, request).await?)?.to_string()),
        (["simulation"], Method::DELETE) => Ok(simulation::stop(state).to_string()),
        (["dead-letters", ..] | ["status" | "connections" | "events" | "simulation"], method) => {
            let message = format!("there is no {method} here: see the page at /");
            Err(RequestRefusal::new(StatusCode::METHOD_NOT_ALLOWED, message))
        }
        _ => Err(RequestRefusal::new(StatusCode::NOT_FOUND, "unknown path under /_local/")),
    }
}

/// The facts about the system that the page shows.
fn status(state: &SystemState) -> Value {
    let config = &state.config;
    // The settings of functions in another process are not known here.
    let known = matches!(config.functions, FunctionHost::InProcess);
    json!({
        "streaming": known.then_some(config.event_streaming_enabled),
        "authentication": known.then_some(config.auth_enabled),
        "authenticationInBand": known.then(|| config.in_band()),
        "connections": state.connections.count(),
        "deadLetters": state.bus.dead_letters().count(),
        "backlog": state.bus.backlog(),
        "simulation": simulation::status(state),
    })
}

/// The text of a request. It has to be declared as JSON: a page of another origin cannot do that without asking first.
async fn body(state: &SystemState, request: Request) -> Result<String, RequestRefusal> {
    let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    if content_type.and_then(|value| value.split(';').next()).map(str::trim) != Some("application/json") {
        let message = "the body is JSON, with the header Content-Type: application/json";
        return Err(RequestRefusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message));
    }
    let body = state.door.read(request.into_body(), BODY_BYTES).await.map_err(|error| match error {
        BodyError::TooLarge => RequestRefusal::new(StatusCode::PAYLOAD_TOO_LARGE, "the body has at most 1 MB"),
        BodyError::TooSlow => RequestRefusal::new(StatusCode::REQUEST_TIMEOUT, "the body did not arrive in time"),
        BodyError::NoRoom => RequestRefusal::new(StatusCode::SERVICE_UNAVAILABLE, "too many requests: try again"),
        BodyError::Broken => RequestRefusal::new(StatusCode::BAD_REQUEST, "the body is incomplete"),
    })?;
    String::from_utf8(body.bytes.into())
        .map_err(|_| RequestRefusal::new(StatusCode::BAD_REQUEST, "the body is not UTF-8"))
}
