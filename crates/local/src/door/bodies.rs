use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Response, StatusCode};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::Body as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::refusal::DoorRefusal;

/// Reads the bodies of requests. All ports together hold a bounded number of their bytes.
#[derive(Debug)]
pub(super) struct Bodies {
    budget: Arc<Semaphore>,
    timeout: Duration,
}

/// A whole body. Its bytes count until it is dropped.
#[derive(Debug)]
pub(crate) struct ReadBody {
    pub(crate) bytes: Bytes,
    _share: Option<OwnedSemaphorePermit>,
}

/// Why a body was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodyError {
    /// It is larger than the limit of its request.
    TooLarge,
    /// It did not arrive in time.
    TooSlow,
    /// The bodies of other requests use all bytes that may be held.
    NoRoom,
    /// The client left.
    Broken,
}

impl Bodies {
    pub(super) fn new(most: usize, timeout: Duration) -> Self {
        Self { budget: Arc::new(Semaphore::new(most.min(Semaphore::MAX_PERMITS))), timeout }
    }

    pub(super) async fn read(&self, body: Body, most: usize) -> Result<ReadBody, BodyError> {
        timeout(self.timeout, self.collect(body, most)).await.unwrap_or(Err(BodyError::TooSlow))
    }

    async fn collect(&self, mut body: Body, most: usize) -> Result<ReadBody, BodyError> {
        if body.size_hint().lower() > most as u64 {
            return Err(BodyError::TooLarge);
        }
        let mut bytes = BytesMut::new();
        let mut share: Option<OwnedSemaphorePermit> = None;
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.map_err(|_| BodyError::Broken)?.into_data() else { continue };
            if bytes.len() + data.len() > most {
                return Err(BodyError::TooLarge);
            }
            let number = u32::try_from(data.len()).map_err(|_| BodyError::TooLarge)?;
            let more = Arc::clone(&self.budget).try_acquire_many_owned(number).map_err(|_| BodyError::NoRoom)?;
            match &mut share {
                Some(share) => share.merge(more),
                None => share = Some(more),
            }
            bytes.extend_from_slice(&data);
        }
        Ok(ReadBody { bytes: bytes.freeze(), _share: share })
    }
}

impl BodyError {
    /// An answer for the ports that have no other form for it.
    pub(crate) fn into_response(self) -> Response<Body> {
        let (status, kind, message) = match self {
            Self::TooLarge => {
                (StatusCode::PAYLOAD_TOO_LARGE, "RequestEntityTooLargeException", "The request is too large.")
            }
            Self::TooSlow => {
                (StatusCode::REQUEST_TIMEOUT, "RequestTimeoutException", "The body did not arrive in time.")
            }
            Self::NoRoom => (
                StatusCode::SERVICE_UNAVAILABLE,
                "ServiceUnavailableException",
                "The local system holds too many bytes of other requests: try again.",
            ),
            Self::Broken => (StatusCode::BAD_REQUEST, "BadRequestException", "The body is incomplete."),
        };
        DoorRefusal { status, kind, message: message.to_owned() }.into_response()
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures_util::stream;

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    fn chunks(number: usize, bytes: usize) -> Body {
        let chunk = Bytes::from(vec![b'x'; bytes]);
        Body::from_stream(stream::iter(std::iter::repeat_n(Ok::<_, Infallible>(chunk), number)))
    }

    #[tokio::test]
    async fn all_bodies_together_stay_within_the_budget() {
        let bodies = Bodies::new(100, LONG);
        let first = bodies.read(chunks(6, 10), 60).await.unwrap();
        assert_eq!(first.bytes.len(), 60);
        assert_eq!(bodies.read(chunks(5, 10), 60).await.unwrap_err(), BodyError::NoRoom);
        assert_eq!(bodies.budget.available_permits(), 40, "a refused body holds nothing");
        let second = bodies.read(chunks(4, 10), 60).await.unwrap();
        assert_eq!(bodies.budget.available_permits(), 0);
        drop((first, second));
        assert_eq!(bodies.budget.available_permits(), 100);
    }

    #[tokio::test]
    async fn a_body_has_a_limit_and_a_time() {
        let bodies = Bodies::new(100, Duration::from_millis(20));
        assert_eq!(bodies.read(chunks(2, 6), 11).await.unwrap_err(), BodyError::TooLarge);
        assert_eq!(bodies.read(Body::from("twelve bytes"), 11).await.unwrap_err(), BodyError::TooLarge);
        let endless = Body::from_stream(stream::pending::<Result<Bytes, Infallible>>());
        assert_eq!(bodies.read(endless, 11).await.unwrap_err(), BodyError::TooSlow);
        assert_eq!(bodies.budget.available_permits(), 100);
    }
}
