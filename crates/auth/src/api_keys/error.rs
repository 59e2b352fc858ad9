use aws_sdk_dynamodb::error::{BuildError, ProvideErrorMetadata, SdkError};

/// The API keys could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum ApiKeyError {
    /// A key of this name exists.
    #[error("a key of this name exists; revoke it first, or choose another name")]
    Exists,
    /// No key of this name exists.
    #[error("there is no key of this name")]
    Unknown,
    /// The system provides no random numbers.
    #[error("the system provides no random numbers")]
    NoRandomness,
    /// DynamoDB refused the request or could not be reached.
    #[error("DynamoDB: {0}")]
    Dynamo(String),
}

impl ApiKeyError {
    /// The code and message of an error of DynamoDB.
    pub(super) fn dynamo<E: ProvideErrorMetadata>(error: &SdkError<E>) -> Self {
        Self::Dynamo(match (error.code(), error.message()) {
            (Some(code), Some(message)) => format!("{code}: {message}"),
            (Some(code), None) => code.to_owned(),
            _ => match error {
                SdkError::ServiceError(_) | SdkError::ResponseError(_) => {
                    let status = error.raw_response().map_or(0, |response| response.status().as_u16());
                    format!("the endpoint does not answer as DynamoDB does (status {status})")
                }
                _ => "the endpoint could not be reached".to_owned(),
            },
        })
    }

    /// A request that the SDK refuses to build.
    pub(super) fn invalid(error: &BuildError) -> Self {
        Self::Dynamo(error.to_string())
    }
}
