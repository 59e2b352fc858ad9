use std::time::Duration;

/// One of the five functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Function {
    Connect,
    Disconnect,
    Default,
    Broadcast,
    Ingest,
}

/// Why an invocation gave no result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvokeError {
    /// The function reported an error, or broke down.
    #[error("{kind}: {message}")]
    Function { kind: String, message: String },
    /// It did not answer in time.
    #[error("no answer within {0:?}")]
    TimedOut(Duration),
    /// There are too many invocations already.
    #[error("{0}")]
    Throttled(String),
    /// It could not be invoked.
    #[error("{0}")]
    Unavailable(String),
}

impl InvokeError {
    /// The error code of a dead letter.
    pub(crate) fn code(&self) -> &str {
        match self {
            Self::Function { kind, .. } => kind,
            Self::TimedOut(_) => "TimedOut",
            Self::Throttled(_) => "Throttled",
            Self::Unavailable(_) => "Unavailable",
        }
    }

    /// The error message of a dead letter.
    pub(crate) fn message(&self) -> String {
        match self {
            Self::Function { message, .. } => message.clone(),
            _ => self.to_string(),
        }
    }
}
