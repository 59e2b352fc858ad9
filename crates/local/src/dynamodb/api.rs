//! The wire format: "DynamoDB low-level API", Amazon DynamoDB Developer Guide.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, header};
use dynoxide::auth_material::{AuthMaterial, validate};

use super::engine::Engine;
use super::operations;
use crate::aws_error::answer;
use crate::door::Door;

const AMAZON_JSON: &str = "application/x-amz-json-1.0";
const JSON: &str = "application/json";
const CHECKSUM: HeaderName = HeaderName::from_static("x-amz-crc32");
/// DynamoDB takes no larger request.
const BODY_BYTES: usize = 16 * 1024 * 1024;

const MALFORMED: &str = r#"{"__type":"com.amazon.coral.service#SerializationException"}"#;
const UNKNOWN: &str = r#"{"__type":"com.amazon.coral.service#UnknownOperationException"}"#;

/// Answers a request. Signatures have to be present, and are not verified.
pub(super) async fn handle(door: Arc<Door>, engine: Arc<Engine>, request: Request) -> Response<Body> {
    let (head, body) = request.into_parts();
    if head.uri.path() != "/" || !matches!(head.method, Method::GET | Method::POST) {
        return checked(StatusCode::NOT_FOUND, JSON, "<UnknownOperationException/>\n".to_owned());
    }
    if head.method == Method::GET {
        return checked(StatusCode::OK, "text/plain", "healthy: dynamodb.us-east-1.amazonaws.com ".to_owned());
    }
    let content_type = text(&head.headers, header::CONTENT_TYPE.as_str()).unwrap_or_default();
    let content_type = match content_type.split(';').next().unwrap_or_default().trim() {
        kind if kind.eq_ignore_ascii_case(AMAZON_JSON) => AMAZON_JSON,
        kind if kind.eq_ignore_ascii_case(JSON) => JSON,
        _ => return checked(StatusCode::NOT_FOUND, JSON, "<UnknownOperationException/>\n".to_owned()),
    };
    let body = match door.read(body, BODY_BYTES).await {
        Ok(body) => body,
        Err(error) => return error.into_response(),
    };
    let refuse = |message: &str| checked(StatusCode::BAD_REQUEST, content_type, message.to_owned());
    let target = text(&head.headers, "x-amz-target").unwrap_or_default();
    let operation = ["DynamoDB_20120810.", "DynamoDBStreams_20120810."].iter().find_map(|api| target.strip_prefix(api));
    let Some(operation) = operation.and_then(operations::find) else { return refuse(UNKNOWN) };
    let material = AuthMaterial {
        authorization: text(&head.headers, header::AUTHORIZATION.as_str()),
        query: head.uri.query().unwrap_or_default(),
        has_date_header: head.headers.contains_key("x-amz-date") || head.headers.contains_key(header::DATE),
    };
    if let Some(refusal) = validate(material) {
        return refuse(&refusal);
    }
    let Ok(text) = std::str::from_utf8(&body.bytes) else { return refuse(MALFORMED) };
    match engine.run(operation, text).await {
        Ok(json) => checked(StatusCode::OK, content_type, json),
        Err(error) => {
            tracing::debug!(operation = operation.name, %error, "the table refused a request");
            let status = StatusCode::from_u16(error.status_code()).unwrap_or(StatusCode::BAD_REQUEST);
            checked(status, content_type, error.to_json())
        }
    }
}

/// An answer with its checksum, which some SDKs compare.
fn checked(status: StatusCode, content_type: &'static str, body: String) -> Response<Body> {
    let checksum = HeaderValue::from(crc32fast::hash(body.as_bytes()));
    let mut response = answer(status, content_type, body);
    response.headers_mut().insert(CHECKSUM, checksum);
    response
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}
