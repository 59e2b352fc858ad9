//! Opening a connection: API Gateway holds the handshake until `$connect` has returned.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use entity_stream_auth::{ACCESS_TOKEN, offers_access_token};
use entity_stream_protocol::{Close, CloseCode, ConnectionId, GatewayError, RefusalBody};
use hyper_util::rt::TokioIo;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::connections::{LastActive, OpenConnection};
use super::farewell::say_goodbye;
use super::frames::websocket_config;
use super::ids::new_id;
use super::integration::ProxyResult;
use super::outbox::outbox;
use super::proxy_event::EventSource;
use super::session::{self, SocketSession};
use crate::aws_error::answer;
use crate::config::RefuseWith;
use crate::functions::{Function, InvokeError};
use crate::state::SystemState;

/// Longest URL of a handshake, in characters.
const URL_LENGTH: usize = 4096;

/// Answers a request for the WebSocket endpoint.
pub(crate) async fn handle(state: Arc<SystemState>, client: SocketAddr, request: Request) -> Response<Body> {
    let key = match check(&request) {
        Ok(key) => key,
        Err(refusal) => return *refusal,
    };
    if state.connections.count() >= state.config.sockets.websockets {
        return refuse(StatusCode::TOO_MANY_REQUESTS, "the system has no room for another WebSocket");
    }
    // In a task of its own: a client that leaves meanwhile takes this one with it, and `$connect` may have registered it
    // already, so that `$disconnect` has to be told.
    let opening = tokio::spawn(open(state, client, key, request));
    opening.await.unwrap_or_else(|_| refuse(StatusCode::INTERNAL_SERVER_ERROR, GatewayError::INTERNAL))
}

async fn open(state: Arc<SystemState>, client: SocketAddr, key: HeaderValue, mut request: Request) -> Response<Body> {
    let Ok(connection_id) = ConnectionId::parse(new_id()) else {
        return refuse(StatusCode::INTERNAL_SERVER_ERROR, GatewayError::INTERNAL);
    };
    let now = state.config.clock.now();
    let source = EventSource {
        connection_id: connection_id.clone(),
        connected_at: now,
        source_ip: client.ip().to_string(),
        user_agent: text(request.headers(), header::USER_AGENT),
        domain_name: text(request.headers(), header::HOST).unwrap_or_default(),
        stage: state.config.stage.clone(),
    };
    let event = source.connect(now, request.headers(), request.uri().query());
    let limit = state.config.times.integration_timeout;
    let result = match state.functions.invoke(Function::Connect, event.payload, limit).await {
        Ok(result) => result,
        Err(error) => {
            tracing::error!(%connection_id, %error, "$connect failed");
            return match error {
                InvokeError::TimedOut(_) => refuse(StatusCode::GATEWAY_TIMEOUT, "Endpoint request timed out"),
                InvokeError::Throttled(_) => refuse(StatusCode::TOO_MANY_REQUESTS, "Too Many Requests"),
                _ => refuse(StatusCode::BAD_GATEWAY, GatewayError::INTERNAL),
            };
        }
    };
    let Some(result) = ProxyResult::parse(&result) else {
        tracing::error!(%connection_id, "$connect returned a malformed result");
        return refuse(StatusCode::BAD_GATEWAY, GatewayError::INTERNAL);
    };
    let upgrade = hyper::upgrade::on(&mut request);
    if result.accepts() {
        let (outbox, inbox) = outbox(state.config.sockets.outgoing_bytes);
        let last_active = LastActive::new(now);
        let connection = OpenConnection {
            outbox: outbox.clone(),
            connected_at: now,
            last_active: last_active.clone(),
            source_ip: source.source_ip.clone(),
            user_agent: source.user_agent.clone(),
        };
        // From here on, `@connections` knows the connection. Messages wait in its outbox until the client has read the 101.
        let order = state.connections.insert(connection_id, connection);
        let session = SocketSession { source, outbox, inbox, order, last_active };
        state.sessions.spawn(session::run(Arc::clone(&state), session, upgrade));
        return switch_protocols(&key, result.subprotocol());
    }
    let status = StatusCode::from_u16(result.status_code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let code = match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Some(CloseCode::PolicyViolation),
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => Some(CloseCode::TryAgainLater),
        _ => None,
    };
    let reason = result.message().unwrap_or_else(|| status.canonical_reason().unwrap_or("refused").to_owned());
    let Some(code) = code.filter(|_| state.config.refuse_with == RefuseWith::Close) else {
        return refuse(status, &reason);
    };
    // The handshake succeeds only to be able to say the code, so it has to succeed for browsers that offer a token too.
    let offers =
        request.headers().get_all(header::SEC_WEBSOCKET_PROTOCOL).iter().filter_map(|offer| offer.to_str().ok());
    let subprotocol = offers_access_token(offers).then_some(ACCESS_TOKEN);
    tokio::spawn(async move {
        if let Ok(upgraded) = upgrade.await {
            let io = TokioIo::new(upgraded);
            let mut socket = WebSocketStream::from_raw_socket(io, Role::Server, Some(websocket_config())).await;
            state.refusals.hold(client.ip(), &mut socket).await;
            say_goodbye(socket, &Close::new(code, reason)).await;
        }
    });
    switch_protocols(&key, subprotocol)
}

/// The client's key, if the request is a WebSocket handshake (RFC 6455, section 4.2.1).
fn check(request: &Request) -> Result<HeaderValue, Box<Response<Body>>> {
    let has = |name, token: &str| {
        let values = request.headers().get_all(name).iter().filter_map(|value| value.to_str().ok());
        values.flat_map(|value| value.split(',')).any(|part| part.trim().eq_ignore_ascii_case(token))
    };
    if request.method() != Method::GET || !has(header::CONNECTION, "upgrade") || !has(header::UPGRADE, "websocket") {
        let message = "This is a WebSocket endpoint: connect with ws://, and ?tenant=NAME";
        let mut response = refuse(StatusCode::UPGRADE_REQUIRED, message);
        response.headers_mut().insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        return Err(Box::new(response));
    }
    if request.uri().to_string().len() > URL_LENGTH {
        return Err(Box::new(refuse(StatusCode::URI_TOO_LONG, "the URL has at most 4096 characters")));
    }
    let version = text(request.headers(), header::SEC_WEBSOCKET_VERSION);
    if version.as_deref() != Some("13") {
        let message = "not a WebSocket handshake of version 13: the header Sec-WebSocket-Version is 13";
        let mut response = refuse(StatusCode::BAD_REQUEST, message);
        response.headers_mut().insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        return Err(Box::new(response));
    }
    let key = request.headers().get(header::SEC_WEBSOCKET_KEY).filter(|key| is_key(key));
    key.cloned().ok_or_else(|| {
        let message = "not a WebSocket handshake: the header Sec-WebSocket-Key is 16 bytes in base64";
        Box::new(refuse(StatusCode::BAD_REQUEST, message))
    })
}

/// True if a key is 16 bytes in base64. The last four bits of its last character have no meaning.
fn is_key(key: &HeaderValue) -> bool {
    let key = key.as_bytes().strip_suffix(b"==");
    key.is_some_and(|key| {
        key.len() == 22 && key.iter().all(|byte| byte.is_ascii_alphanumeric() || b"+/".contains(byte))
    })
}

fn switch_protocols(key: &HeaderValue, subprotocol: Option<&str>) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    if let Ok(accept) = HeaderValue::from_str(&derive_accept_key(key.as_bytes())) {
        headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    }
    if let Some(Ok(subprotocol)) = subprotocol.map(HeaderValue::from_str) {
        headers.insert(header::SEC_WEBSOCKET_PROTOCOL, subprotocol);
    }
    response
}

/// A failed handshake. API Gateway's body is not known; a message helps developers.
fn refuse(status: StatusCode, message: &str) -> Response<Body> {
    answer(status, "application/json", RefusalBody::new(message).to_json())
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}
