//! The `@connections` API.

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, Method, Response, StatusCode};
use entity_stream_protocol::Close;
use entity_stream_protocol::limits::MESSAGE_BYTES;
use serde_json::json;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::connections::OpenConnection;
use super::ids::{is_well_formed, new_id};
use super::outbox::NotPosted;
use super::proxy_event::timestamp;
use crate::aws_error::{answer, json, with_type};
use crate::door::BodyError;
use crate::state::SystemState;

const APIGW_ID: HeaderName = HeaderName::from_static("x-amz-apigw-id");
const JSON: &str = "application/json";

/// Answers a request for one connection.
pub(crate) async fn handle(state: &SystemState, id: &str, request: Request) -> Response<Body> {
    let method = request.method().clone();
    let response = match method {
        Method::POST => post(state, id, request).await,
        Method::GET | Method::DELETE => match find(state, id) {
            Err(refusal) => *refusal,
            Ok(connection) if method == Method::GET => get(&connection),
            Ok(_) => delete(state, id),
        },
        _ => forbidden(),
    };
    with_apigw_id(response)
}

/// API Gateway's answer to unknown paths and stages.
pub(crate) fn forbidden() -> Response<Body> {
    let response = json(StatusCode::FORBIDDEN, &json!({ "message": "Forbidden" }));
    with_apigw_id(with_type(response, "ForbiddenException"))
}

async fn post(state: &SystemState, id: &str, request: Request) -> Response<Body> {
    let body = match state.door.read(request.into_body(), MESSAGE_BYTES).await {
        Ok(body) => body,
        Err(BodyError::TooLarge) => {
            let body = json!({ "message": "The message is larger than 128 KB" });
            return with_type(json(StatusCode::PAYLOAD_TOO_LARGE, &body), "PayloadTooLargeException");
        }
        Err(error) => return error.into_response(),
    };
    let connection = match find(state, id) {
        Ok(connection) => connection,
        Err(refusal) => return *refusal,
    };
    // Bodies go out as text frames, which hold UTF-8. API Gateway's treatment of other bodies is not known.
    let Ok(text) = Utf8Bytes::try_from(body.bytes) else {
        let body = json!({ "message": "The message is not UTF-8" });
        return with_type(json(StatusCode::BAD_REQUEST, &body), "BadRequestException");
    };
    match connection.outbox.post(text) {
        Ok(()) => {
            connection.last_active.touch(state.config.clock.now());
            answer(StatusCode::OK, JSON, Body::empty())
        }
        Err(NotPosted::Full) => {
            let body = json!({ "message": "The client's buffer is full" });
            with_type(json(StatusCode::TOO_MANY_REQUESTS, &body), "LimitExceededException")
        }
        Err(NotPosted::Closed) => gone(),
    }
}

fn get(connection: &OpenConnection) -> Response<Body> {
    let time = |millis| timestamp(millis).strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string();
    let body = json!({
        "identity": { "sourceIp": connection.source_ip, "userAgent": connection.user_agent },
        "connectedAt": time(connection.connected_at.millis()),
        "lastActiveAt": time(connection.last_active.get()),
    });
    json(StatusCode::OK, &body)
}

/// Does not wait for the client, which may not even read.
fn delete(state: &SystemState, id: &str) -> Response<Body> {
    if state.connections.close(id, Close::DELETED) {
        answer(StatusCode::NO_CONTENT, JSON, Body::empty())
    } else {
        gone()
    }
}

fn find(state: &SystemState, id: &str) -> Result<OpenConnection, Box<Response<Body>>> {
    if !is_well_formed(id) {
        let body = json!({ "message": format!("Invalid connectionId: {id}") });
        return Err(Box::new(with_type(json(StatusCode::BAD_REQUEST, &body), "BadRequestException")));
    }
    state.connections.get(id).ok_or_else(|| Box::new(gone()))
}

/// The body is empty: the type is in the header alone.
fn gone() -> Response<Body> {
    with_type(answer(StatusCode::GONE, JSON, Body::empty()), "GoneException")
}

fn with_apigw_id(mut response: Response<Body>) -> Response<Body> {
    if let Ok(id) = HeaderValue::from_str(&new_id()) {
        response.headers_mut().insert(APIGW_ID, id);
    }
    response
}
