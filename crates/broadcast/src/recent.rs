use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use entity_stream_protocol::{EpochMillis, stable_hash};
use lru::LruCache;

/// How long a delivered event is remembered. Repeats follow at once, or after a time-out of EventBridge's.
const MEMORY: Duration = Duration::from_secs(60);
/// Most events that are remembered.
const CAPACITY: NonZeroUsize = NonZeroUsize::new(4096).unwrap();

/// The events that this instance of the function has delivered lately: EventBridge delivers at least once. Another
/// instance does not know of them; clients drop what still comes twice by its `id`.
///
/// An event is remembered by all of its text, the id that EventBridge gave it included, so that nobody's event is taken
/// for another's.
#[derive(Debug)]
pub(crate) struct Recent(Mutex<LruCache<u64, EpochMillis>>);

impl Default for Recent {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(CAPACITY)))
    }
}

impl Recent {
    pub(crate) fn contains(&self, event: &str, now: EpochMillis) -> bool {
        let delivered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        delivered.peek(&stable_hash(event.as_bytes())).is_some_and(|at| now.since(*at) < MEMORY)
    }

    pub(crate) fn insert(&self, event: &str, now: EpochMillis) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).put(stable_hash(event.as_bytes()), now);
    }
}
