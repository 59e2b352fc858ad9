use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use serde_json::json;

use crate::aws_error::{json as json_answer, with_type};

/// Why the door refuses a request, in the form in which AWS SDKs read an error.
#[derive(Debug)]
pub(super) struct DoorRefusal {
    pub(super) status: StatusCode,
    pub(super) kind: &'static str,
    pub(super) message: String,
}

impl DoorRefusal {
    pub(super) fn into_response(self) -> Response<Body> {
        let body = json!({ "__type": self.kind, "message": self.message });
        let mut response = with_type(json_answer(self.status, &body), self.kind);
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }
}
