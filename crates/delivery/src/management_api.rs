use std::sync::Arc;
use std::time::Duration;

use aws_config::SdkConfig;
use backon::{BackoffBuilder, ExponentialBuilder};
use bytes::Bytes;
use entity_stream_protocol::ConnectionId;
use hyper::{Method, Uri};
use tokio::time::{Instant, timeout_at};

use crate::pace::{MOST, Pace};
use crate::signed_http::{Answer, SignedHttp};
use crate::{Message, Outcome};

/// How long one call may take. API Gateway answers in milliseconds; what takes longer is better tried again, but not so soon
/// that a machine which is merely slow sends what it has sent already.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);

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

/// The `@connections` API of one stage. Its clones share their connections, and their pace: 429s slow all of them down.
#[derive(Clone, Debug)]
pub struct ManagementApi {
    http: Arc<SignedHttp>,
    pace: Arc<Pace>,
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
    /// [`InvalidEndpoint`] unless it is an `http` or `https` URL of a host, with its stage if the host is API Gateway's.
    pub fn new(config: &SdkConfig, endpoint: &str) -> Result<Self, InvalidEndpoint> {
        let endpoint = parse(endpoint.trim_end_matches('/')).ok_or(InvalidEndpoint)?;
        Ok(Self { http: Arc::new(SignedHttp::new(config, &endpoint)), pace: Arc::new(Pace::new(MOST)) })
    }

    /// The same API with at most so many calls under way at once, 10,000 at most, over all clones of what is returned.
    /// The others wait for their turn, which is no part of the time that a call may take.
    #[must_use]
    pub fn at_most(self, calls: usize) -> Self {
        Self { pace: Arc::new(Pace::new(calls)), ..self }
    }

    /// Sends one message, trying once.
    pub async fn post(&self, id: &ConnectionId, message: &Message) -> Outcome {
        self.call(Method::POST, id, message, None).await
    }

    /// Sends one message, trying once. After `deadline` nothing is sent any more, however long the turn was waited for.
    pub async fn post_before(&self, id: &ConnectionId, message: &Message, deadline: Instant) -> Outcome {
        self.call(Method::POST, id, message, Some(deadline)).await
    }

    /// Closes a connection, trying once. The client sees close code 1000, which cannot be chosen.
    pub async fn close(&self, id: &ConnectionId) -> Outcome {
        self.call(Method::DELETE, id, &Message::new(Bytes::new()), None).await
    }

    async fn call(&self, method: Method, id: &ConnectionId, message: &Message, deadline: Option<Instant>) -> Outcome {
        // Of the characters of an id, only `=` has to be encoded in a path.
        let path = format!("/@connections/{}", id.as_str().replace('=', "%3D"));
        let turn = match deadline {
            None => self.pace.turn().await,
            Some(deadline) => match timeout_at(deadline, self.pace.turn()).await {
                Ok(turn) if Instant::now() < deadline => turn,
                _ => return Outcome::Failed("no time was left".to_owned()),
            },
        };
        let until = Instant::now() + ATTEMPT_TIMEOUT;
        let until = deadline.map_or(until, |deadline| deadline.min(until));
        let outcome = match timeout_at(until, self.http.send(method, &path, message)).await {
            Ok(Ok(answer)) => judge(&answer),
            Ok(Err(reason)) => Outcome::Failed(reason),
            Err(_) => Outcome::Failed("no answer in time".to_owned()),
        };
        match outcome {
            Outcome::Throttled => turn.throttled(id),
            Outcome::Delivered => turn.delivered(),
            _ => {}
        }
        outcome
    }

    /// Sends one message, and tries again with jittered backoff what may yet work, until it does or `deadline` is near.
    pub async fn post_until(&self, id: &ConnectionId, message: &Message, deadline: Instant) -> Outcome {
        let mut delays = backoff();
        loop {
            let outcome = self.post_before(id, message, deadline).await;
            let delay = delays.next().unwrap_or(LONGEST_DELAY);
            if !outcome.is_retryable() || Instant::now() + delay >= deadline {
                return outcome;
            }
            tracing::debug!(connection_id = %id, outcome = outcome.describe(), "message not delivered yet");
            tokio::time::sleep(delay).await;
        }
    }
}

/// An endpoint in the form in which its scheme can be compared.
fn parse(text: &str) -> Option<String> {
    let uri: Uri = text.parse().ok()?;
    let (Some("http" | "https"), Some(host)) = (uri.scheme_str(), uri.host()) else { return None };
    // The parser leaves a port that is none, and a user's name, in the authority, and drops a fragment.
    let whole = uri.port().map_or(host.to_owned(), |port| format!("{host}:{port}"));
    let is_plain = uri.authority().is_some_and(|authority| authority.as_str() == whole) && !text.contains(['?', '#']);
    // A domain of one's own may stand for a stage; API Gateway's never does.
    let is_whole = !host.contains(".execute-api.") || uri.path() != "/";
    (is_plain && is_whole).then(|| uri.to_string().trim_end_matches('/').to_owned())
}

/// The status decides. What is in the header and the body besides may be missing, or a proxy's, and is for the log.
fn judge(answer: &Answer) -> Outcome {
    let status = answer.status.as_u16();
    let error_type = answer.headers.get("x-amzn-errortype").and_then(|value| value.to_str().ok());
    let described = || format!("{status} {}", error_type.unwrap_or("no error type"));
    match status {
        200..300 => Outcome::Delivered,
        410 => Outcome::Gone,
        413 => Outcome::TooLarge,
        429 => Outcome::Throttled,
        403 | 500.. => Outcome::Failed(described()),
        _ => Outcome::Rejected(described()),
    }
}
