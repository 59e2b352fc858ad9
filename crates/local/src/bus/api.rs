//! The AWS JSON protocol, in which EventBridge and SQS take their requests.

use axum::body::Body;
use axum::extract::Request;
use axum::http::{Response, StatusCode};
use serde_json::{Value, json};

use super::error::ApiError;
use super::{put_events, sqs};
use crate::aws_error::{answer, with_type};
use crate::door::BodyError;
use crate::state::SystemState;

const CONTENT_TYPE: &str = "application/x-amz-json-1.1";
/// Largest request that is read. The entries of a `PutEvents` may have 1 MB; JSON strings can be written six times longer.
const BODY_BYTES: usize = 8 * 1024 * 1024;
/// The beginning of the targets of SQS.
const SQS: &str = "AmazonSQS.";

/// True if a request is for SQS.
pub(crate) fn is_sqs(request: &Request) -> bool {
    target(request).starts_with(SQS)
}

/// Answers a request to the bus, or to the dead-letter queue.
pub(crate) async fn handle(state: &SystemState, request: Request) -> Response<Body> {
    let target = target(&request);
    let body = match state.door.read(request.into_body(), BODY_BYTES).await {
        Ok(body) => body,
        Err(BodyError::TooLarge) => return refuse(&ApiError::validation("The request is too large.")),
        Err(error) => return error.into_response(),
    };
    if let Some(operation) = target.strip_prefix(SQS) {
        return answered(sqs::handle(state, operation, &body.bytes).await);
    }
    answered(match target.as_str() {
        "AWSEvents.PutEvents" => match put_events::handle(state, &body.bytes) {
            Ok((answer, wait)) => {
                // The events are in the queue: their bytes count there.
                drop(body);
                tokio::time::sleep(wait).await;
                Ok(answer)
            }
            Err(error) => Err(error),
        },
        _ => Err(ApiError::new(
            "UnknownOperationException",
            "The local system takes AWSEvents.PutEvents here, with X-Amz-Target and a JSON body.",
        )),
    })
}

fn answered(result: Result<Value, ApiError>) -> Response<Body> {
    match result {
        Ok(value) => answer(StatusCode::OK, CONTENT_TYPE, value.to_string()),
        Err(error) => refuse(&error),
    }
}

fn target(request: &Request) -> String {
    let target = request.headers().get("x-amz-target").and_then(|value| value.to_str().ok());
    target.unwrap_or_default().to_owned()
}

fn refuse(error: &ApiError) -> Response<Body> {
    let body: Value = json!({ "__type": error.error_type, "message": error.message });
    with_type(answer(error.status, CONTENT_TYPE, body.to_string()), error.error_type)
}
