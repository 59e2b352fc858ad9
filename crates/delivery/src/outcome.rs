use hyper::StatusCode;

/// The result of sending one message to one connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// API Gateway accepted the message. The client has not necessarily received it.
    Delivered,
    /// API Gateway knows no such connection (`GoneException`, 410): it has ended, or `$connect` has not returned yet.
    Gone,
    /// The message has more than 128 KB (`PayloadTooLargeException`, 413).
    TooLarge,
    /// The account calls too often, or the client reads too slowly (`LimitExceededException`, 429).
    Throttled,
    /// The attempt failed and another attempt can succeed: 403, 5xx, a time-out, or a broken connection. Holds the reason.
    Failed(String),
    /// API Gateway refused the message and would refuse it again: any other status. Holds the reason.
    Rejected(String),
}

impl Outcome {
    /// Returns whether another attempt can have another outcome. `Gone` is not retryable here: only the caller knows the age
    /// of the connection.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Throttled | Self::Failed(_))
    }

    /// Describes the outcome for a log.
    pub fn describe(&self) -> &str {
        match self {
            Self::Delivered => "delivered",
            Self::Gone => "gone",
            Self::TooLarge => "too large",
            Self::Throttled => "throttled",
            Self::Failed(reason) | Self::Rejected(reason) => reason,
        }
    }

    /// Reads the outcome from the status of an answer. A proxy can remove or change the error type, so it is only a part of
    /// the reason.
    pub(crate) fn of_answer(status: StatusCode, error_type: Option<&str>) -> Self {
        match status.as_u16() {
            200..300 => Self::Delivered,
            410 => Self::Gone,
            413 => Self::TooLarge,
            429 => Self::Throttled,
            403 | 500.. => Self::Failed(describe_answer(status, error_type)),
            _ => Self::Rejected(describe_answer(status, error_type)),
        }
    }
}

/// Describes an answer for a log, such as `403 ForbiddenException`.
pub(crate) fn describe_answer(status: StatusCode, error_type: Option<&str>) -> String {
    format!("{} {}", status.as_u16(), error_type.unwrap_or("without an error type"))
}
