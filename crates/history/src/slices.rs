//! Past events that are read again and again, as after a deployment, when all clients come back at once.
//!
//! **Invariant.** Only slices that do not change any more are kept; `read_plan` says which. Slices of different tenants have
//! different keys. The kept slices have a bounded size.

use std::sync::{Arc, Mutex, PoisonError};

use entity_stream_protocol::Tenant;
use lru::LruCache;

use crate::read_plan::SliceNumber;
use crate::stored_event::PastEvent;

/// The most memory of kept slices, as far as it is estimated: an eighth of the memory that the template gives the function.
const BYTES: usize = 32 * 1024 * 1024;
/// The estimated memory of an event besides its text, which it holds twice.
const OVERHEAD: usize = 700;

/// The events of a slice, in the order of their positions.
pub(crate) type SliceEvents = Arc<[Arc<PastEvent>]>;

#[derive(Debug)]
pub(crate) struct KnownSlices(Mutex<SlicesByTenant>);

#[derive(Debug)]
struct SlicesByTenant {
    slices: LruCache<(Tenant, SliceNumber), SliceEvents>,
    bytes: usize,
}

impl Default for KnownSlices {
    fn default() -> Self {
        Self(Mutex::new(SlicesByTenant { slices: LruCache::unbounded(), bytes: 0 }))
    }
}

impl KnownSlices {
    pub(crate) fn get(&self, tenant: &Tenant, slice: SliceNumber) -> Option<SliceEvents> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.slices.get(&(tenant.clone(), slice)).cloned()
    }

    /// Keeps a slice that does not change any more.
    pub(crate) fn put(&self, tenant: &Tenant, slice: SliceNumber, events: SliceEvents) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.bytes += memory(&events);
        if let Some(former) = known.slices.put((tenant.clone(), slice), events) {
            known.bytes -= memory(&former);
        }
        while known.bytes > BYTES
            && let Some((_, events)) = known.slices.pop_lru()
        {
            known.bytes -= memory(&events);
        }
    }
}

fn memory(events: &[Arc<PastEvent>]) -> usize {
    OVERHEAD + events.iter().map(|event| OVERHEAD + 2 * event.bytes).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use entity_stream_protocol::{EntityChange, EpochMillis, Event, Position};

    use super::*;
    use crate::stored_event::{from_item, to_item};

    fn tenant(name: &str) -> Tenant {
        Tenant::parse(name).unwrap()
    }

    /// So many events, each of which counts so many bytes.
    fn events(count: usize, bytes: usize) -> SliceEvents {
        let detail = r#"{"type":"entityUpdated","tenant":"demo","entityId":"urn:a","entityType":"Room"}"#;
        let event = Event::new("e", "2026-09-21T14:13:20Z", EntityChange::parse(detail).unwrap());
        let at = EpochMillis::from_seconds(1_790_000_000);
        let item = to_item(&event, &Position::new(at, 1), at, Duration::from_secs(60));
        let event = PastEvent { bytes, ..from_item(&item).unwrap() };
        (0..count).map(|_| Arc::new(event.clone())).collect()
    }

    fn is_known(slices: &KnownSlices, name: &str, slice: SliceNumber) -> bool {
        slices.get(&tenant(name), slice).is_some()
    }

    #[test]
    fn a_slice_belongs_to_one_tenant() {
        let slices = KnownSlices::default();
        slices.put(&tenant("a"), 7, events(2, 100));
        assert_eq!(slices.get(&tenant("a"), 7).map(|events| events.len()), Some(2));
        assert!(!is_known(&slices, "b", 7) && !is_known(&slices, "a", 8));
    }

    #[test]
    fn the_slices_that_were_read_longest_ago_make_room() {
        let slices = KnownSlices::default();
        // Each slice takes a little more than a quarter of the memory.
        for slice in 0..3 {
            slices.put(&tenant("a"), slice, events(1, BYTES / 8));
        }
        assert!(is_known(&slices, "a", 0), "it is read");
        slices.put(&tenant("a"), 3, events(1, BYTES / 8));
        let known: Vec<_> = (0..4).filter(|slice| is_known(&slices, "a", *slice)).collect();
        assert_eq!(known, [0, 2, 3]);
    }

    #[test]
    fn a_slice_that_is_put_again_counts_once() {
        let slices = KnownSlices::default();
        slices.put(&tenant("a"), 0, events(1, BYTES / 8));
        for _ in 0..100 {
            slices.put(&tenant("a"), 1, events(1, BYTES / 8));
        }
        assert!(is_known(&slices, "a", 0) && is_known(&slices, "a", 1));
        assert!(slices.0.lock().unwrap().bytes <= BYTES);
    }

    #[test]
    fn empty_slices_take_memory_too() {
        let slices = KnownSlices::default();
        let most = u64::try_from(BYTES / OVERHEAD).unwrap();
        for slice in 0..most + 10 {
            slices.put(&tenant("a"), slice, events(0, 0));
        }
        assert!(!is_known(&slices, "a", 0) && is_known(&slices, "a", most + 9));
    }

    #[test]
    fn a_slice_that_is_larger_than_the_memory_is_not_kept() {
        let slices = KnownSlices::default();
        slices.put(&tenant("a"), 0, events(1, BYTES));
        assert!(!is_known(&slices, "a", 0));
        assert_eq!(slices.0.lock().unwrap().bytes, 0);
    }
}
