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
        move |error| Self::Dynamo { operation, reason: reason(&error) }
    }

    /// Wraps the error of a request that the SDK refuses to build.
    pub(crate) fn invalid(operation: &'static str) -> impl Fn(BuildError) -> Self {
        move |error| Self::Dynamo { operation, reason: error.to_string() }
    }
}

/// The code and the message of DynamoDB, or the reason why there are none.
fn reason<E>(error: &SdkError<E>) -> String
where
    E: ProvideErrorMetadata + Error + 'static,
{
    match (error.code(), error.message()) {
        (Some(code), Some(message)) => format!("{code}: {message}"),
        (Some(code), None) => code.to_owned(),
        _ => match error {
            SdkError::DispatchFailure(failure) if failure.is_io() => format!("no connection: {}", innermost(error)),
            SdkError::ServiceError(_) | SdkError::ResponseError(_) => {
                let status = error.raw_response().map_or(0, |response| response.status().as_u16());
                format!("the endpoint does not answer as DynamoDB does (status {status})")
            }
            _ => DisplayErrorContext(error).to_string(),
        },
    }
}

/// The first cause: the SDK's own text does not contain it.
fn innermost(mut error: &dyn Error) -> String {
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}
