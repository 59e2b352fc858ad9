use axum::body::Body;
use axum::http::{Response, StatusCode};
use serde_json::json;

use super::headers::no_store;
use crate::aws_error::json as json_answer;

/// Why a request to the local system's own paths is refused: the status, the fault and the remedy.
#[derive(Debug)]
pub(crate) struct RequestRefusal {
    status: StatusCode,
    message: String,
}

impl RequestRefusal {
    pub(crate) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }

    pub(crate) fn into_response(self) -> Response<Body> {
        no_store(json_answer(self.status, &json!({ "message": self.message })))
    }
}
