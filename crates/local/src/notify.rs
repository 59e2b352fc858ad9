//! The URL of the ingest function: `POST /notify`.
//! Source of the forms of event and result: "Invoking Lambda function URLs", AWS Lambda Developer Guide.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use axum::body::Body;
use axum::extract::Request;
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, Response, StatusCode, header};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use entity_stream_ingest::NOTIFICATION_BYTES;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::aws_error::answer;
use crate::door::BodyError;
use crate::functions::{Function, InvokeError};
use crate::gateway::timestamp;
use crate::state::SystemState;

/// The path without its slash.
pub(crate) const PATH: &str = "notify";

const PROBLEM_JSON: &str = "application/problem+json";
/// The types whose bodies Lambda passes as text. It passes all others in base64.
const TEXTS: [&str; 4] = ["application/json", "application/xml", "application/javascript", "text/"];

/// A result of the function. Without a status it would be a body, which the ingest function never returns.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct UrlResult {
    status_code: u16,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    body: Option<String>,
}

/// Passes a request to the function, and its result to the sender.
pub(crate) async fn handle(state: &SystemState, client: SocketAddr, request: Request) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let body = match state.door.read(body, NOTIFICATION_BYTES).await {
        Ok(body) => body,
        Err(BodyError::NoRoom) => return busy(),
        Err(error) => return refuse_body(error),
    };
    // After the body, so that slow senders hold no place.
    let Ok(_place) = state.notifications.try_acquire() else { return busy() };
    let event = event(state, client, &parts, &body.bytes).to_string();
    drop(body);
    match state.functions.invoke(Function::Ingest, event.into(), state.config.times.integration_timeout).await {
        Ok(result) => respond(&result).unwrap_or_else(failed),
        Err(InvokeError::Throttled(_)) => {
            let body = r#"{"Message":"Rate Exceeded."}"#;
            with_retry(answer(StatusCode::TOO_MANY_REQUESTS, "application/json", body))
        }
        Err(error) => {
            tracing::error!(%error, "the ingest function failed");
            failed()
        }
    }
}

/// The answer for a function that failed.
fn failed() -> Response<Body> {
    answer(StatusCode::BAD_GATEWAY, "application/json", r#"{"Message":"Internal Server Error"}"#)
}

fn event(state: &SystemState, client: SocketAddr, parts: &Parts, body: &Bytes) -> Value {
    let now = state.config.clock.now();
    let text = |name: HeaderName| parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let is_text = TEXTS.iter().any(|kind| text(header::CONTENT_TYPE).starts_with(kind));
    let body = match std::str::from_utf8(body) {
        Ok(body) if is_text => (body.to_owned(), false),
        _ => (STANDARD.encode(body), true),
    };
    json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": parts.uri.path(),
        "rawQueryString": parts.uri.query().unwrap_or_default(),
        "headers": headers(parts, client),
        "requestContext": {
            "accountId": "anonymous",
            "apiId": "local",
            "domainName": text(header::HOST),
            "domainPrefix": "local",
            "http": {
                "method": parts.method.as_str(),
                "path": parts.uri.path(),
                "protocol": "HTTP/1.1",
                "sourceIp": client.ip().to_string(),
                "userAgent": text(header::USER_AGENT),
            },
            "requestId": uuid::Uuid::new_v4().to_string(),
            "routeKey": "$default",
            "stage": "$default",
            "time": timestamp(now.millis()).strftime("%d/%b/%Y:%H:%M:%S +0000").to_string(),
            "timeEpoch": now.millis(),
        },
        "body": body.0,
        "isBase64Encoded": body.1,
    })
}

/// The headers in lower case, with the values of a repeated one joined by commas, and those that AWS's front end adds.
fn headers(parts: &Parts, client: SocketAddr) -> BTreeMap<String, String> {
    let mut headers = BTreeMap::<String, String>::new();
    for (name, value) in &parts.headers {
        // A header is Latin-1 where it is not ASCII.
        let value: String = value.as_bytes().iter().map(|byte| char::from(*byte)).collect();
        headers
            .entry(name.as_str().to_owned())
            .and_modify(|joined| {
                joined.push(',');
                joined.push_str(&value);
            })
            .or_insert(value);
    }
    headers.insert("x-forwarded-for".to_owned(), client.ip().to_string());
    headers.insert("x-forwarded-proto".to_owned(), "https".to_owned());
    headers
}

fn respond(result: &[u8]) -> Option<Response<Body>> {
    let result: UrlResult = serde_json::from_slice(result).ok()?;
    let mut response = Response::new(result.body.map_or_else(Body::empty, Body::from));
    *response.status_mut() = StatusCode::from_u16(result.status_code).ok()?;
    for (name, value) in result.headers {
        let name = HeaderName::try_from(name).ok()?;
        response.headers_mut().insert(name, HeaderValue::try_from(value).ok()?);
    }
    Some(response)
}

/// The answer of a system that has no room for another notification.
fn busy() -> Response<Body> {
    let detail = "the local system publishes as many notifications as it can; send the notification again";
    with_retry(problem(StatusCode::SERVICE_UNAVAILABLE, "busy", "Try again", detail))
}

/// Tells the sender when to come back.
fn with_retry(mut response: Response<Body>) -> Response<Body> {
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
    response
}

/// The answer to a body that was not read.
fn refuse_body(error: BodyError) -> Response<Body> {
    let (status, name, detail) = match error {
        BodyError::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "too-large", "the body has at most 6 MB"),
        BodyError::TooSlow => (StatusCode::REQUEST_TIMEOUT, "body", "the body did not arrive in time"),
        BodyError::Broken | BodyError::NoRoom => (StatusCode::BAD_REQUEST, "body", "the body is incomplete"),
    };
    problem(status, name, "The body was not read", detail)
}

/// A problem in the form of the function's own.
fn problem(status: StatusCode, name: &str, title: &str, detail: &str) -> Response<Body> {
    let kind = format!("urn:entity-stream:problem:{name}");
    let body = json!({ "type": kind, "title": title, "status": status.as_u16(), "detail": detail });
    answer(status, PROBLEM_JSON, body.to_string())
}

#[cfg(test)]
mod tests {
    use entity_stream_ingest::NOTIFY_PATH;

    use super::*;

    #[test]
    fn the_route_and_the_function_have_the_same_path() {
        assert_eq!(NOTIFY_PATH.strip_prefix('/'), Some(PATH));
    }
}
