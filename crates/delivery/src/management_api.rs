use std::time::Duration;

use aws_sdk_apigatewaymanagement::Client;
use aws_sdk_apigatewaymanagement::config::Builder;
use aws_sdk_apigatewaymanagement::config::retry::RetryConfig;
use aws_sdk_apigatewaymanagement::config::timeout::TimeoutConfig;
use aws_sdk_apigatewaymanagement::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_apigatewaymanagement::primitives::Blob;
use backon::{BackoffBuilder, ExponentialBuilder};
use bytes::Bytes;
use entity_stream_protocol::ConnectionId;
use tokio::time::Instant;

use crate::Outcome;

/// How long one call may take. API Gateway answers in milliseconds; what takes longer is better tried again.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(5);

/// The longest wait between two attempts.
const LONGEST_DELAY: Duration = Duration::from_secs(2);

/// The waits between attempts, with jitter, from 50 ms to 2 s and without end: whoever tries has a deadline.
pub fn backoff() -> impl Iterator<Item = Duration> {
    ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(50))
        .with_max_delay(LONGEST_DELAY)
        .with_jitter()
        .without_max_times()
        .build()
}

/// The `@connections` API of one stage.
#[derive(Clone, Debug)]
pub struct ManagementApi {
    client: Client,
}

/// A text that is no `@connections` endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "an @connections endpoint is https://API.execute-api.REGION.amazonaws.com/STAGE (https, not wss, with the stage)"
)]
pub struct InvalidEndpoint;

impl ManagementApi {
    /// The API at this endpoint, with the credentials and the region of `config`.
    ///
    /// # Errors
    /// [`InvalidEndpoint`] unless it is an `http` or `https` URL.
    pub fn new(config: impl Into<Builder>, endpoint: &str) -> Result<Self, InvalidEndpoint> {
        let rest = endpoint.strip_prefix("https://").or_else(|| endpoint.strip_prefix("http://"));
        if !rest.is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '[')) {
            return Err(InvalidEndpoint);
        }
        // The SDK would try 429 and 5xx again by itself, up to 2.4 s a call and out of the caller's control.
        let config = config
            .into()
            .endpoint_url(endpoint.trim_end_matches('/'))
            .retry_config(RetryConfig::disabled())
            .timeout_config(TimeoutConfig::builder().operation_timeout(ATTEMPT_TIMEOUT).build())
            .build();
        Ok(Self { client: Client::from_conf(config) })
    }

    /// Sends one message, trying once.
    pub async fn post(&self, id: &ConnectionId, message: Bytes) -> Outcome {
        let request = self.client.post_to_connection().connection_id(id.as_str()).data(Blob::new(message));
        match request.send().await {
            Ok(_) => Outcome::Delivered,
            Err(error) => judge(&error),
        }
    }

    /// Closes a connection, trying once. The client sees close code 1000, which cannot be chosen.
    pub async fn close(&self, id: &ConnectionId) -> Outcome {
        match self.client.delete_connection().connection_id(id.as_str()).send().await {
            Ok(_) => Outcome::Delivered,
            Err(error) => judge(&error),
        }
    }

    /// Sends one message, and tries again with jittered backoff what may yet work, until it does or `deadline` is near.
    pub async fn post_until(&self, id: &ConnectionId, message: Bytes, deadline: Instant) -> Outcome {
        let mut delays = backoff();
        loop {
            let outcome = self.post(id, message.clone()).await;
            let delay = delays.next().unwrap_or(LONGEST_DELAY);
            if !outcome.is_retryable() || Instant::now() + delay >= deadline {
                return outcome;
            }
            tracing::debug!(connection_id = %id, outcome = outcome.describe(), "message not delivered yet");
            tokio::time::sleep(delay).await;
        }
    }
}

/// A 410 counts by its status too: with a body that is not JSON the SDK does not recognise `GoneException`.
fn judge<E>(error: &SdkError<E>) -> Outcome
where
    E: ProvideErrorMetadata,
{
    let Some(status) = error.raw_response().map(|response| response.status().as_u16()) else {
        return Outcome::Failed(match error {
            SdkError::TimeoutError(_) => "no answer in time".to_owned(),
            SdkError::ConstructionFailure(_) => return Outcome::Rejected("the request could not be built".to_owned()),
            _ => "the connection to @connections failed".to_owned(),
        });
    };
    let code = error.code().unwrap_or("no error type");
    match status {
        410 => Outcome::Gone,
        413 => Outcome::TooLarge,
        429 => Outcome::Throttled,
        403 | 500.. => Outcome::Failed(format!("{status} {code}")),
        _ => Outcome::Rejected(format!("{status} {code}")),
    }
}
