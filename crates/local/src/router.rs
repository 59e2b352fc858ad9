//! One port for everything but DynamoDB: which request is whose.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State as Shared};
use axum::http::{Method, Response, StatusCode, header};
use axum::serve::ListenerExt;
use percent_encoding::percent_decode_str;
use serde_json::json;
use tokio::net::TcpListener;

use crate::aws_error::json;
use crate::bus;
use crate::config::RESERVED;
use crate::gateway;
use crate::monitor;
use crate::state::SystemState;

/// Serves until the task is aborted.
pub(crate) async fn serve(listener: TcpListener, state: Arc<SystemState>) {
    let app = Router::new().fallback(route).with_state(state);
    // Messages are small, and a client waits for each of them.
    let listener = listener.tap_io(|stream| {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "could not switch Nagle's algorithm off");
        }
    });
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    if let Err(error) = axum::serve(listener, app).await {
        tracing::error!(%error, "the gateway ended");
    }
}

async fn route(
    Shared(state): Shared<Arc<SystemState>>,
    ConnectInfo(client): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response<Body> {
    let path: Vec<String> = segments(request.uri().path());
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    let stage = state.config.stage.as_str();
    // A WebSocket's origin is for `$connect` to judge, and no page can send this header with anything else.
    if !request.headers().contains_key(header::UPGRADE)
        && let Err(refusal) = monitor::guard::check_origin(&request)
    {
        return refusal.into_response();
    }
    match path[..] {
        [RESERVED, "health"] => json(StatusCode::OK, &json!({ "status": "ok", "backlog": state.bus.backlog() })),
        [RESERVED, ref rest @ ..] => monitor::handle(&state, rest, request).await,
        [] if monitor::wants_page(&request) => monitor::page(),
        ["@connections", id] => gateway::management::handle(&state, id, request).await,
        [first, "@connections", id] if first == stage => gateway::management::handle(&state, id, request).await,
        [] if request.method() == Method::POST => bus::api::handle(&state, request).await,
        // SQS requests go to the queue's own path with older SDKs, and to the root with newer ones.
        [_, _] if request.method() == Method::POST && bus::api::is_sqs(&request) => {
            bus::api::handle(&state, request).await
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
