use std::error::Error;
use std::fmt::Write;

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};

/// A failed operation on the table.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// The connection does not exist, or its record has expired. The client has to reconnect.
    #[error("the connection is not registered")]
    NotConnected,
    /// The connection has yet to authenticate, or its authorisation has expired.
    #[error("the connection is not authorised")]
    NotAuthorised,
    /// The connection belongs to another subject.
    #[error("the connection belongs to another subject")]
    AnotherSubject,
    /// Concurrent messages of the same connection kept changing its filter. The client can try again.
    #[error("the connection's filter is being changed by too many messages at once")]
    Contended,
    /// DynamoDB refused the request or could not be reached, after the SDK's own retries.
    #[error("DynamoDB {operation}: {reason}")]
    Dynamo {
        /// The API operation.
        operation: &'static str,
        /// The error code and message, or the reason for a missing answer.
        reason: String,
        /// The SDK's error.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// DynamoDB did not answer in time.
    #[error("DynamoDB {operation}: no answer in time")]
    TimedOut {
        /// The API operation.
        operation: &'static str,
    },
    /// DynamoDB left parts of a batch unprocessed in every attempt. It does so when it throttles.
    #[error("DynamoDB BatchWriteItem left {0} items unprocessed")]
    Unprocessed(usize),
}

impl TableError {
    /// Wraps an SDK error so that its `Display` names the cause. The SDK's own text is just "service error".
    pub(crate) fn dynamo<E>(operation: &'static str) -> impl FnOnce(SdkError<E>) -> Self
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        move |error| {
            let reason = match (error.code(), error.message()) {
                (Some(code), Some(message)) => format!("{code}: {message}"),
                (Some(code), None) => code.to_owned(),
                _ => chain(&error),
            };
            Self::Dynamo { operation, reason, source: Box::new(error) }
        }
    }
}

fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let _ = write!(text, ": {cause}");
        next = cause.source();
    }
    text
}
