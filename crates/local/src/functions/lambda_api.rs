//! Lambda's Invoke API for the broadcast function, with which dead letters are replayed.
//! Source: "Invoke", AWS Lambda API Reference.

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, Response, StatusCode};
use serde_json::json;

use super::function::{Function, InvokeError};
use crate::aws_error::{answer, with_type};
use crate::config::{FunctionHost, FunctionNames};
use crate::door::BodyError;
use crate::state::SystemState;

const JSON: &str = "application/json";
/// The largest payload of Lambda: 6 MB.
const PAYLOAD_BYTES: usize = 6 * 1024 * 1024;
const INVOCATION_TYPE: HeaderName = HeaderName::from_static("x-amz-invocation-type");
const FUNCTION_ERROR: HeaderName = HeaderName::from_static("x-amz-function-error");
const EXECUTED_VERSION: HeaderName = HeaderName::from_static("x-amz-executed-version");

/// Invokes the broadcast function and waits for its result.
pub(crate) async fn handle(state: &SystemState, name: &str, request: Request) -> Response<Body> {
    let broadcast = match &state.config.functions {
        FunctionHost::InProcess => FunctionNames::default().broadcast,
        FunctionHost::Lambda { names, .. } => names.broadcast.clone(),
    };
    if name != broadcast {
        let message = format!("Function not found: the local system invokes {broadcast:?} only.");
        return refuse(StatusCode::NOT_FOUND, "ResourceNotFoundException", &message);
    }
    let invocation_type = request.headers().get(INVOCATION_TYPE).map(HeaderValue::as_bytes);
    if invocation_type.is_some_and(|invocation_type| invocation_type != b"RequestResponse") {
        let message = "The local system takes the invocation type RequestResponse only.";
        return refuse(StatusCode::BAD_REQUEST, "InvalidParameterValueException", message);
    }
    let payload = match state.door.read(request.into_body(), PAYLOAD_BYTES).await {
        Ok(payload) => payload,
        Err(BodyError::TooLarge) => {
            let message = "The payload has more than 6 MB.";
            return refuse(StatusCode::PAYLOAD_TOO_LARGE, "RequestTooLargeException", message);
        }
        Err(error) => return error.into_response(),
    };
    match state.functions.invoke(Function::Broadcast, payload.bytes.clone(), state.config.times.broadcast_timeout).await
    {
        Ok(output) => executed(answer(StatusCode::OK, JSON, output)),
        Err(InvokeError::Throttled(message)) => {
            refuse(StatusCode::TOO_MANY_REQUESTS, "TooManyRequestsException", &message)
        }
        Err(InvokeError::Unavailable(message)) => refuse(StatusCode::BAD_GATEWAY, "ServiceException", &message),
        Err(InvokeError::Function { kind, message }) => failed(&kind, &message),
        Err(error @ InvokeError::TimedOut(_)) => failed("Sandbox.Timedout", &error.to_string()),
    }
}

/// The answer for a function that ran and failed.
fn failed(kind: &str, message: &str) -> Response<Body> {
    let body = json!({ "errorType": kind, "errorMessage": message });
    let mut response = executed(answer(StatusCode::OK, JSON, body.to_string()));
    response.headers_mut().insert(FUNCTION_ERROR, HeaderValue::from_static("Unhandled"));
    response
}

fn executed(mut response: Response<Body>) -> Response<Body> {
    response.headers_mut().insert(EXECUTED_VERSION, HeaderValue::from_static("$LATEST"));
    response
}

fn refuse(status: StatusCode, error_type: &'static str, message: &str) -> Response<Body> {
    let body = json!({ "Type": "User", "Message": message });
    with_type(answer(status, JSON, body.to_string()), error_type)
}
