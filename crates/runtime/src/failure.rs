use entity_stream_connections::TableError;
use lambda_runtime::Diagnostic;

/// The failure of an invocation, as Lambda reports it: a stable type for alarms, and a message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind}: {message}")]
pub struct Failure {
    /// The error type: one word in upper camel case.
    pub kind: &'static str,
    /// The reason.
    pub message: String,
}

impl Failure {
    /// Creates a failure of this type.
    pub fn new(kind: &'static str, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }
}

impl From<TableError> for Failure {
    fn from(error: TableError) -> Self {
        Self::new("TableUnavailable", error.to_string())
    }
}

impl From<Failure> for Diagnostic {
    fn from(failure: Failure) -> Self {
        Self { error_type: failure.kind.to_owned(), error_message: failure.message }
    }
}
