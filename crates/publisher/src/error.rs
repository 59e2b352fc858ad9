use aws_sdk_eventbridge::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_eventbridge::operation::put_events::PutEventsError;

use crate::limits::ENTRY_BYTES;
use crate::retry::is_passing;

/// Why the bus does not have an entry. No variant contains the entry's detail.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// The entry is larger than EventBridge accepts. It was not sent.
    #[error("the event has {bytes} bytes; send less than {ENTRY_BYTES}")]
    TooLarge {
        /// The size of the entry, as [`BusEntry::size`](crate::BusEntry::size) counts it.
        bytes: usize,
    },
    /// The bus refused the entry for good, such as with `MalformedDetail`. The entry was not sent again.
    #[error("{code}: {message}")]
    Refused {
        /// EventBridge's error code.
        code: String,
        /// EventBridge's explanation.
        message: String,
    },
    /// The bus failed for a passing reason, such as `ThrottlingException`, until the deadline. Publish the entry later.
    #[error("{code}: {message}")]
    Exhausted {
        /// EventBridge's error code, as last returned.
        code: String,
        /// EventBridge's explanation.
        message: String,
    },
    /// The request that carried the entry failed as a whole.
    #[error(transparent)]
    Request(#[from] RequestError),
}

/// Why a whole `PutEvents` request failed. The next request is likely to fail as well.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// No connection to the bus, or the connection broke.
    #[error("no connection: {0}")]
    Unreachable(String),
    /// The bus did not answer before the deadline, or the SDK's time-out. It may have the entries.
    #[error("no answer in time")]
    Unanswered,
    /// The bus refused the request, such as with `AccessDeniedException`, or failed until the deadline.
    #[error("{code}: {message}")]
    Refused {
        /// EventBridge's error code.
        code: String,
        /// EventBridge's explanation; may be empty.
        message: String,
    },
    /// The endpoint answered with an error that is not EventBridge's.
    #[error("the endpoint is not an event bus: it answered with status {status}")]
    NotABus {
        /// The HTTP status.
        status: u16,
    },
    /// The answer is not an answer to `PutEvents`.
    #[error("the endpoint is not an event bus: {0}")]
    Unintelligible(String),
}

impl RequestError {
    pub(crate) fn new(error: &SdkError<PutEventsError>) -> Self {
        if let Some(service) = error.as_service_error() {
            let status = error.raw_response().map_or(0, |response| response.status().as_u16());
            return match service.code() {
                Some(code) => {
                    Self::Refused { code: code.to_owned(), message: service.message().unwrap_or_default().to_owned() }
                }
                None => Self::NotABus { status },
            };
        }
        match error {
            SdkError::TimeoutError(_) => Self::Unanswered,
            SdkError::ResponseError(_) => Self::Unintelligible(innermost(error)),
            _ => Self::Unreachable(innermost(error)),
        }
    }

    /// True if the same request may succeed a moment later. The SDK has already repeated a request that found no
    /// connection.
    pub(crate) fn is_passing(&self) -> bool {
        match self {
            Self::Unanswered => true,
            Self::Refused { code, .. } => is_passing(code),
            Self::NotABus { status } => *status == 429 || *status >= 500,
            Self::Unreachable(_) | Self::Unintelligible(_) => false,
        }
    }
}

/// The first cause: the SDK's own text does not contain it.
fn innermost(mut error: &dyn std::error::Error) -> String {
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}
