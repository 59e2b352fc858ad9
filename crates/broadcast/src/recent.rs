use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use entity_stream_connections::stable_hash;
use entity_stream_protocol::EpochMillis;
use lru::LruCache;

/// How long a delivered event is remembered. Repeats follow at once, or after a time-out of EventBridge's.
const MEMORY: Duration = Duration::from_secs(60);
/// How long it is remembered for Lambda's own retries of the same invocation, whose other events failed: they come one
/// and three minutes later, under the same request id.
/// Source: "How Lambda handles errors and retries with asynchronous invocation", AWS Lambda Developer Guide.
const MEMORY_OF_AN_INVOCATION: Duration = Duration::from_secs(15 * 60);
/// Most events that are remembered.
const CAPACITY: NonZeroUsize = NonZeroUsize::new(4096).unwrap();

/// The events that this instance of the function has delivered lately: EventBridge delivers at least once. Another
/// instance does not know of them; clients drop remaining repeats by `id`.
///
/// An event is recognised by its whole text, the id of EventBridge included, so that one tenant's event is never taken for
/// another's.
#[derive(Debug)]
pub(crate) struct Recent(Mutex<LruCache<u64, Served>>);

#[derive(Clone, Copy, Debug)]
struct Served {
    at: EpochMillis,
    by: u64,
}

impl Default for Recent {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(CAPACITY)))
    }
}

impl Recent {
    /// True if an event was served a short while ago, or by an earlier attempt at this invocation.
    pub(crate) fn contains(&self, event: &str, request_id: &str, now: EpochMillis) -> bool {
        let (event, by) = (stable_hash(event.as_bytes()), stable_hash(request_id.as_bytes()));
        let served = self.0.lock().unwrap_or_else(PoisonError::into_inner).peek(&event).copied();
        served
            .is_some_and(|served| now.since(served.at) < if served.by == by { MEMORY_OF_AN_INVOCATION } else { MEMORY })
    }

    pub(crate) fn insert(&self, event: &str, request_id: &str, now: EpochMillis) {
        let served = Served { at: now, by: stable_hash(request_id.as_bytes()) };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).put(stable_hash(event.as_bytes()), served);
    }
}
