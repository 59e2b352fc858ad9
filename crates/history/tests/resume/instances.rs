//! Instances of the functions: their clocks, and their memory.

use std::cell::RefCell;
use std::ops::Range;
use std::time::Duration;

use entity_stream_history::SliceNumber;
use entity_stream_protocol::EpochMillis;

use crate::past_table::PastItem;

/// The time for which `broadcast` remembers an event that it delivered.
const MEMORY: Duration = Duration::from_secs(60);
/// The same for retries of the invocation.
const MEMORY_OF_AN_INVOCATION: Duration = Duration::from_secs(15 * 60);

/// An event and the range of hashes to which it is delivered.
pub(crate) type Delivered = (usize, Range<u64>);

/// An instance of `broadcast`.
pub(crate) struct Broadcaster {
    pub(crate) skew: i64,
    recent: RefCell<Vec<(Delivered, u64, EpochMillis)>>,
}

impl Broadcaster {
    pub(crate) fn new(skew: i64) -> Self {
        Self { skew, recent: RefCell::default() }
    }

    /// Returns whether the instance delivered this lately.
    pub(crate) fn knows(&self, delivered: &Delivered, invocation: u64, now: EpochMillis) -> bool {
        self.recent.borrow().iter().any(|(other, by, at)| {
            let memory = if *by == invocation { MEMORY_OF_AN_INVOCATION } else { MEMORY };
            other == delivered && now.since(*at) < memory
        })
    }

    pub(crate) fn remember(&self, delivered: Delivered, invocation: u64, now: EpochMillis) {
        self.recent.borrow_mut().push((delivered, invocation, now));
    }

    /// The process ends, and another one takes its place.
    pub(crate) fn restart(&self) {
        self.recent.borrow_mut().clear();
    }
}

/// A slice of a tenant's history, and its events.
type KnownSlice = ((u8, SliceNumber), Vec<PastItem>);

/// An instance of `default`.
pub(crate) struct Reader {
    pub(crate) skew: i64,
    slices: RefCell<Vec<KnownSlice>>,
}

impl Reader {
    pub(crate) fn new(skew: i64) -> Self {
        Self { skew, slices: RefCell::default() }
    }

    pub(crate) fn slice(&self, tenant: u8, slice: SliceNumber) -> Option<Vec<PastItem>> {
        let slices = self.slices.borrow();
        slices.iter().find(|(key, _)| *key == (tenant, slice)).map(|(_, items)| items.clone())
    }

    pub(crate) fn keep(&self, tenant: u8, slice: SliceNumber, items: Vec<PastItem>) {
        self.slices.borrow_mut().push(((tenant, slice), items));
    }
}
