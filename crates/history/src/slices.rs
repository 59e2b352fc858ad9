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
pub(crate) struct KnownSlices(Mutex<Known>);

#[derive(Debug)]
struct Known {
    slices: LruCache<(Tenant, SliceNumber), SliceEvents>,
    bytes: usize,
}

impl Default for KnownSlices {
    fn default() -> Self {
        Self(Mutex::new(Known { slices: LruCache::unbounded(), bytes: 0 }))
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
