use std::error::Error;
use std::fmt::Write;

use aws_sdk_dynamodb::error::{BuildError, ProvideErrorMetadata, SdkError};

/// The request to the table failed.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// The connection does not exist, or its record has expired. The client has to connect again.
    #[error("the connection is not registered")]
    NotConnected,
    /// The connection has not authenticated yet, or its authorisation has expired.
    #[error("the connection is not authorised")]
    NotAuthorised,
    /// The client has not yet proved that it has the key of its token.
    #[error("the connection waits for a proof")]
    ProofRequired,
    /// The connection belongs to another subject.
    #[error("the connection belongs to another subject")]
    AnotherSubject,
    /// Other messages of the same connection kept changing it. Try again.
    #[error("too many messages change the connection at once")]
    Contended,
    /// DynamoDB throttled the items of the connection in every attempt.
    #[error("DynamoDB throttled every attempt")]
    Throttled,
    /// The connection has no subscription of this name.
    #[error("the connection has no subscription of this name")]
    NotSubscribed,
    /// The connection would have more than 16 subscriptions with a name.
    #[error("the connection has too many subscriptions")]
    TooManySubscriptions,
    /// The subscriptions of the connection would have more than 49 scopes together.
    #[error("the connection's subscriptions name too many types and ids")]
    TooManyScopes,
    /// The interests of the connection, or its subscriptions, would be larger than 32 KB.
    #[error("the connection's interests are too large")]
    LimitExceeded,
    /// The connection asked for past events less than ten seconds ago.
    #[error("the connection asked for past events less than ten seconds ago")]
    ResumedRecently,
    /// The connection has asked for past events of another session already.
    #[error("the connection has taken the place of another session")]
    AnotherSession,
    /// The connection belongs to a consumer group, which shares events as they come.
    #[error("members of a consumer group cannot ask for past events")]
    NotForGroups,
    /// The subject has as many connections as it may have.
    #[error("the subject has too many connections")]
    TooManyConnections,
    /// The item of a consumer group has no hash.
    #[error("the item of the consumer group is malformed")]
    MalformedGroup,
    /// DynamoDB refused the request or could not be reached, after the retries of the SDK.
    #[error("DynamoDB {operation}: {reason}")]
    Dynamo {
        /// The API operation.
        operation: &'static str,
        /// The error code and message, or the reason why there was no answer.
        reason: String,
        /// The error of the SDK.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// DynamoDB did not answer in time.
    #[error("DynamoDB {operation}: no answer in time")]
    TimedOut {
        /// The API operation.
        operation: &'static str,
    },
    /// DynamoDB left this many items of a batch unprocessed in every attempt, as it does when it throttles.
    #[error("DynamoDB BatchWriteItem left {0} items unprocessed")]
    Unprocessed(usize),
}

impl TableError {
    /// Wraps an SDK error so that its `Display` names the cause. The `Display` of the SDK says only "service error".
    pub(crate) fn dynamo<E>(operation: &'static str) -> impl FnOnce(SdkError<E>) -> Self
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        move |error| {
            let reason = reason(&error);
            Self::Dynamo { operation, reason, source: Box::new(error) }
        }
    }

    /// Wraps the error of a request that the SDK refuses to build.
    pub(crate) fn invalid(operation: &'static str) -> impl Fn(BuildError) -> Self {
        move |error| Self::Dynamo { operation, reason: error.to_string(), source: Box::new(error) }
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
            _ => chain(error),
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

/// The error and its causes.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let _ = write!(text, ": {cause}");
        next = cause.source();
    }
    text
}
