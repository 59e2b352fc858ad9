use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde::Deserialize;

/// The longest answer that is read, in bytes.
const ANSWER_BYTES: usize = 64 * 1024;

#[derive(Deserialize)]
struct Health {
    backlog: QueuedChanges,
}

/// A local system's figures on the events that wait for delivery.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct QueuedChanges {
    events: u64,
    oldest_milliseconds: u64,
    reason: Option<String>,
}

impl QueuedChanges {
    /// Asks a local system. `None` if it has none to tell.
    pub(super) async fn of(endpoint: &str) -> Option<Self> {
        let uri = format!("{}/_local/health", endpoint.trim_end_matches('/')).parse().ok()?;
        let client: Client<_, Empty<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
        let body = client.get(uri).await.ok()?.into_body();
        let bytes = Limited::new(body, ANSWER_BYTES).collect().await.ok()?.to_bytes();
        serde_json::from_slice::<Health>(&bytes).ok().map(|health| health.backlog)
    }

    /// Describes the backlog and its reason, if the system is behind.
    pub(super) fn describe(&self) -> Option<(String, &str)> {
        let reason = self.reason.as_deref()?;
        let (waiting, seconds) = (crate::terminal::counted(self.events, "event"), self.oldest_milliseconds / 1000);
        Some((
            format!("{waiting} wait for delivery, the oldest since {}", crate::terminal::counted(seconds, "second")),
            reason,
        ))
    }
}
