use std::error::Error;

use aws_sdk_dynamodb::error::{BuildError, DisplayErrorContext, ProvideErrorMetadata, SdkError};

/// The request to the history failed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum HistoryError {
    /// The part of the history is larger than 16 MB, or its events take longer to read than a client may cost.
    #[error("there is more history than is read at once")]
    TooMuch,
    /// The history has an item that is no event of this version.
    #[error("an item of the history is no event that this version can read")]
    Unreadable,
    /// DynamoDB refused the request or could not be reached, after the retries of the SDK.
    #[error("DynamoDB {operation}: {reason}")]
    Dynamo {
        /// The API operation.
        operation: &'static str,
        /// The error code and message, or the reason why there was no answer.
        reason: String,
    },
    /// DynamoDB did not answer in time.
    #[error("DynamoDB {operation}: no answer in time")]
    TimedOut {
        /// The API operation.
        operation: &'static str,
    },
}

impl HistoryError {
    /// Wraps an SDK error so that its `Display` names the cause. The `Display` of the SDK says only "service error".
    pub(crate) fn dynamo<E>(operation: &'static str) -> impl FnOnce(SdkError<E>) -> Self
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        move |error| {
            let reason = match (error.code(), error.message()) {
                (Some(code), Some(message)) => format!("{code}: {message}"),
                (Some(code), None) => code.to_owned(),
                _ => DisplayErrorContext(&error).to_string(),
            };
            Self::Dynamo { operation, reason }
        }
    }

    /// Wraps the error of a request that the SDK refuses to build.
    pub(crate) fn invalid(operation: &'static str) -> impl Fn(BuildError) -> Self {
        move |error| Self::Dynamo { operation, reason: error.to_string() }
    }
}
