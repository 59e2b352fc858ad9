/// The refusal of a whole request.
#[derive(Debug)]
pub(crate) struct ApiError {
    pub(crate) error_type: &'static str,
    pub(crate) message: String,
}

impl ApiError {
    pub(crate) fn validation(message: impl Into<String>) -> Self {
        Self { error_type: "ValidationException", message: message.into() }
    }
}
