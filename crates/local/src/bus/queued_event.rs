use bytes::Bytes;
use entity_stream_protocol::Tenant;
use serde::Deserialize;
use tokio::time::Instant;

/// The source of the events that hand on the rest of an audience.
const CONTINUATIONS: &str = "entity-stream";

/// The queue that an event belongs to. Events without a valid tenant share one: the function makes dead letters of them.
pub(crate) type QueueKey = Option<Tenant>;

/// An event that the bus has accepted.
#[derive(Clone, Debug)]
pub(crate) struct QueuedEvent {
    pub(crate) queue: QueueKey,
    /// The event as the function receives it.
    pub(crate) payload: Bytes,
    /// The time of its acceptance, or of the end of its wait for a retry.
    pub(crate) waiting_since: Instant,
    /// The failed invocation of the event, if it has failed.
    pub(crate) failed: Option<FailedInvocation>,
}

/// The invocation that Lambda retries.
#[derive(Clone, Debug)]
pub(crate) struct FailedInvocation {
    /// Lambda's retries keep the id, by which the function recognises the events that it has delivered.
    pub(crate) request_id: String,
    pub(crate) attempts: usize,
}

impl QueuedEvent {
    pub(crate) fn bytes(&self) -> usize {
        self.payload.len()
    }
}

#[derive(Deserialize)]
struct NamesTenant {
    tenant: String,
}

#[derive(Deserialize)]
struct HasDetail {
    detail: NamesTenant,
}

#[derive(Deserialize)]
struct HandsOn {
    event: HasDetail,
}

/// Returns the queue for a `detail`. The event within a continuation names the tenant.
pub(crate) fn queue_of(source: &str, detail: &str) -> QueueKey {
    let named = if is_continuation(source) {
        serde_json::from_str::<HandsOn>(detail).ok().map(|continuation| continuation.event.detail.tenant)
    } else {
        serde_json::from_str::<NamesTenant>(detail).ok().map(|change| change.tenant)
    };
    Tenant::parse(&named?).ok()
}

/// True if events of this source hand on the rest of an audience.
pub(crate) fn is_continuation(source: &str) -> bool {
    source == CONTINUATIONS
}
