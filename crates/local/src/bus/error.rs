use axum::http::StatusCode;

/// The refusal of a whole request.
#[derive(Debug)]
pub(crate) struct ApiError {
    pub(crate) status: StatusCode,
    pub(crate) error_type: &'static str,
    pub(crate) message: String,
}

impl ApiError {
    pub(crate) fn new(error_type: &'static str, message: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, error_type, message: message.into() }
    }

    pub(crate) fn validation(message: impl Into<String>) -> Self {
        Self::new("ValidationException", message)
    }

    /// The refusal of events while the system stops.
    pub(crate) fn stopping() -> Self {
        let message = "The local system is stopping and accepts no events.".to_owned();
        Self { status: StatusCode::SERVICE_UNAVAILABLE, error_type: "ThrottlingException", message }
    }
}
