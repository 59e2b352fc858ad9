use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use super::collection_key::CollectionKey;

/// The time online for which the versions are remembered.
const TIME: Duration = Duration::from_secs(15 * 60);
/// The most versions.
const MOST: usize = 100_000;

/// The end of an entity in a collection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct EntityEnd {
    /// The version of the entity.
    pub(super) version: u64,
    /// True if the entity was deleted. Otherwise it may only match no longer.
    pub(super) is_deleted: bool,
}

/// The last versions of entities that are gone. A change that arrives later and is older does not bring them back.
#[derive(Debug, Default)]
pub(super) struct Gone {
    ends: HashMap<CollectionKey, (EntityEnd, Duration)>,
    order: VecDeque<(CollectionKey, Duration)>,
}

impl Gone {
    /// The end of an entity.
    pub(super) fn end(&self, key: &CollectionKey) -> Option<EntityEnd> {
        self.ends.get(key).map(|(end, _)| *end)
    }

    /// The last version of an entity.
    pub(super) fn version(&self, key: &CollectionKey) -> Option<u64> {
        self.end(key).map(|end| end.version)
    }

    /// The entity is gone.
    pub(super) fn insert(&mut self, key: CollectionKey, end: EntityEnd, now: Duration) {
        let end = self.end(&key).map_or(end, |other| other.max(end));
        self.order.push_back((key.clone(), now));
        self.ends.insert(key, (end, now));
        self.forget(now);
    }

    /// The entity is there again.
    pub(super) fn remove(&mut self, key: &CollectionKey) {
        self.ends.remove(key);
    }

    /// Forgets the oldest entries.
    pub(super) fn forget(&mut self, now: Duration) {
        while let Some((key, time)) = self.order.front() {
            if now.saturating_sub(*time) <= TIME && self.order.len() <= MOST {
                break;
            }
            // The entity may have gone again since.
            if self.ends.get(key).is_some_and(|(_, last)| last == time) {
                self.ends.remove(key);
            }
            self.order.pop_front();
        }
    }
}
