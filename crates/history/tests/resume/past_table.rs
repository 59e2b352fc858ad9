//! A model of the table of the history.

use std::cell::RefCell;
use std::ops::Range;
use std::time::Duration;

use entity_stream_protocol::EpochMillis;

/// A position: its time and its salt, which compare as the text of positions does.
pub(crate) type Place = (EpochMillis, u64);

/// The shards of a tenant.
pub(crate) const SHARDS: u8 = 2;
/// The time for which DynamoDB keeps an item beyond the retention, as in the crate.
const MARGIN: Duration = Duration::from_secs(60);

#[derive(Clone, Copy, Debug)]
pub(crate) struct PastItem {
    pub(crate) tenant: u8,
    pub(crate) shard: u8,
    pub(crate) place: Place,
    pub(crate) event: usize,
}

#[derive(Default)]
pub(crate) struct PastTable {
    items: RefCell<Vec<PastItem>>,
}

impl PastTable {
    pub(crate) fn store(&self, item: PastItem) {
        self.items.borrow_mut().push(item);
    }

    /// One page of a partition. Expired items are deleted at once, as DynamoDB may do.
    pub(crate) fn page(
        &self,
        (tenant, shard): (u8, u8),
        time: &Range<EpochMillis>,
        (now, retention): (EpochMillis, Duration),
    ) -> Vec<PastItem> {
        let items = self.items.borrow();
        let of_partition = items.iter().filter(|item| item.tenant == tenant && item.shard == shard);
        let found = of_partition.filter(|item| time.contains(&item.place.0));
        found.filter(|item| now < item.place.0.plus(retention + MARGIN)).copied().collect()
    }
}
