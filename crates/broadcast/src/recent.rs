use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use entity_stream_connections::stable_hash;
use entity_stream_protocol::EpochMillis;
use lru::LruCache;

/// The time for which a delivered event is remembered. EventBridge repeats an event at once, or after a time-out.
const MEMORY: Duration = Duration::from_secs(60);
/// The time for which the event is remembered for retries of the same invocation, if other events of it failed. Lambda
/// retries after one and after three minutes, with the same request id.
/// Source: "How Lambda handles errors and retries with asynchronous invocation", AWS Lambda Developer Guide.
const MEMORY_OF_AN_INVOCATION: Duration = Duration::from_secs(15 * 60);
/// The most events that are remembered. The compiler evaluates it, so it cannot panic.
const CAPACITY: NonZeroUsize = NonZeroUsize::new(4096).unwrap();

/// The events that this instance of the function delivered recently. EventBridge delivers at least once. Instances do not
/// share this memory; clients drop the remaining repeats by `id`.
///
/// An event is recognised by its whole text, including its id, so the event of one tenant is never taken for that of another.
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
    /// Returns whether an event was served within the last minute, or by an earlier attempt of this invocation.
    pub(crate) fn contains(&self, event: &str, request_id: &str, now: EpochMillis) -> bool {
        let (event, by) = (stable_hash(event.as_bytes()), stable_hash(request_id.as_bytes()));
        let served = self.0.lock().unwrap_or_else(PoisonError::into_inner).peek(&event).copied();
        served
            .is_some_and(|served| now.since(served.at) < if served.by == by { MEMORY_OF_AN_INVOCATION } else { MEMORY })
    }

    /// Remembers an event.
    pub(crate) fn insert(&self, event: &str, request_id: &str, now: EpochMillis) {
        let served = Served { at: now, by: stable_hash(request_id.as_bytes()) };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).put(stable_hash(event.as_bytes()), served);
    }
}
