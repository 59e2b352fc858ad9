use std::error::Error;
use std::sync::OnceLock;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_apigatewaymanagement::Client;
use aws_sdk_apigatewaymanagement::config::{BehaviorVersion, Builder};
use aws_sdk_apigatewaymanagement::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_apigatewaymanagement::operation::delete_connection::DeleteConnectionError;
use entity_stream_protocol::ConnectionId;
use hyper::StatusCode;

use crate::endpoint::Endpoint;
use crate::outcome::describe_answer;

/// The reason why a connection was not closed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CloseError {
    /// The connection has already ended (`GoneException`, 410).
    #[error("gone")]
    Gone,
    /// The account calls too often (`LimitExceededException`, 429).
    #[error("throttled")]
    Throttled,
    /// API Gateway refused the caller (`ForbiddenException`, 403): the endpoint names a wrong stage, or the role does not
    /// allow `execute-api:ManageConnections`.
    #[error("{0}")]
    Forbidden(String),
    /// The attempt failed and another attempt can succeed: 5xx, a time-out, or a broken connection.
    #[error("{0}")]
    Failed(String),
    /// The id is none of a connection (`BadRequestException`, 400).
    #[error("{0}")]
    Invalid(String),
    /// API Gateway refused the call and would refuse it again: any other status.
    #[error("{0}")]
    Rejected(String),
}

impl CloseError {
    /// Returns whether another attempt can close the connection.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Throttled | Self::Forbidden(_) | Self::Failed(_))
    }

    /// Reads the reason from the status of an answer. A proxy can remove or change the error type, so the status decides.
    fn of(error: &SdkError<DeleteConnectionError>) -> Self {
        let status = error.raw_response().and_then(|answer| StatusCode::from_u16(answer.status().as_u16()).ok());
        let Some(status) = status else { return Self::Failed(describe_failure(error)) };
        let reason = describe_answer(status, error.code());
        match status.as_u16() {
            400 => Self::Invalid(reason),
            403 => Self::Forbidden(reason),
            410 => Self::Gone,
            429 => Self::Throttled,
            // A status of success that the SDK does not understand.
            ..400 | 500.. => Self::Failed(reason),
            _ => Self::Rejected(reason),
        }
    }
}

/// Describes a failure without an answer by its innermost cause: the `Display` of the SDK's error names only its kind.
fn describe_failure(error: &SdkError<DeleteConnectionError>) -> String {
    let mut cause: &dyn Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

/// `DeleteConnection` by the AWS SDK.
#[derive(Debug)]
pub(crate) struct Closer {
    config: SdkConfig,
    endpoint: Endpoint,
    timeout: Duration,
    client: OnceLock<Client>,
}

impl Closer {
    /// Calls end after `timeout`.
    pub(crate) fn new(config: &SdkConfig, endpoint: Endpoint, timeout: Duration) -> Self {
        Self { config: config.clone(), endpoint, timeout, client: OnceLock::new() }
    }

    /// Closes a connection and tries once.
    pub(crate) async fn close(&self, id: &ConnectionId) -> Result<(), CloseError> {
        let call = self.client().delete_connection().connection_id(id.as_str());
        call.send().await.map(|_| ()).map_err(|error| CloseError::of(&error))
    }

    /// Returns the client. The first call creates it, because most invocations close no connection.
    fn client(&self) -> &Client {
        self.client.get_or_init(|| {
            let timeouts = TimeoutConfig::builder().operation_timeout(self.timeout).build();
            let config = Builder::from(&self.config)
                .behavior_version(BehaviorVersion::latest())
                .endpoint_url(self.endpoint.as_str())
                .retry_config(RetryConfig::disabled())
                .timeout_config(timeouts);
            Client::from_conf(config.build())
        })
    }
}
