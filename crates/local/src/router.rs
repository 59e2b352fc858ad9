//! One port for everything but DynamoDB: which request is whose.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::http::{Method, Response, StatusCode};
use percent_encoding::percent_decode_str;
use serde_json::json;

use crate::aws_error::json;
use crate::bus;
use crate::config::RESERVED;
use crate::functions::lambda_api;
use crate::gateway;
use crate::monitor;
use crate::notify;
use crate::state::SystemState;

/// Answers a request to the main port.
pub(crate) async fn route(state: Arc<SystemState>, client: SocketAddr, request: Request) -> Response<Body> {
    let path: Vec<String> = segments(request.uri().path());
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    let stage = state.config.stage.as_str();
    match path[..] {
        [RESERVED, "health"] => {
            let (backlog, port) = (state.bus.backlog(), state.dynamodb_port);
            json(StatusCode::OK, &json!({ "status": "ok", "backlog": backlog, "dynamodbPort": port }))
        }
        [RESERVED, ref rest @ ..] => monitor::handle(&state, rest, request).await,
        [notify::PATH] => notify::handle(&state, client, request).await,
        [] if monitor::wants_page(&request) => monitor::page(),
        ["@connections", id] => gateway::management::handle(&state, id, request).await,
        [first, "@connections", id] if first == stage => gateway::management::handle(&state, id, request).await,
        [] if request.method() == Method::POST => bus::api::handle(&state, request).await,
        // SQS requests go to the queue's own path with older SDKs, and to the root with newer ones.
        [_, _] if request.method() == Method::POST && bus::api::is_sqs(&request) => {
            bus::api::handle(&state, request).await
        }
        ["2015-03-31", "functions", name, "invocations"] if request.method() == Method::POST => {
            lambda_api::handle(&state, name, request).await
        }
        [] => gateway::handshake::handle(state, client, request).await,
        [first] if first == stage => gateway::handshake::handle(state, client, request).await,
        _ => gateway::management::forbidden(),
    }
}

/// The decoded parts of a path: clients write `@connections` and the `=` of an id both plain and percent-encoded.
fn segments(path: &str) -> Vec<String> {
    path.split('/')
        .filter(|segment| !segment.is_empty())
        .map(|segment| percent_decode_str(segment).decode_utf8_lossy().into_owned())
        .collect()
}
