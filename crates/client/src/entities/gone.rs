use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use super::collection_key::CollectionKey;

/// The time online for which the versions are remembered.
const TIME: Duration = Duration::from_secs(15 * 60);
/// The most versions.
const MOST: usize = 100_000;

/// The last versions of entities that are gone. A change that arrives later and is older does not bring them back.
#[derive(Debug, Default)]
pub(super) struct Gone {
    versions: HashMap<CollectionKey, (u64, Duration)>,
    order: VecDeque<(CollectionKey, Duration)>,
}

impl Gone {
    /// The last version of an entity.
    pub(super) fn version(&self, key: &CollectionKey) -> Option<u64> {
        self.versions.get(key).map(|(version, _)| *version)
    }

    /// The entity is gone since this version.
    pub(super) fn insert(&mut self, key: CollectionKey, version: u64, now: Duration) {
        let version = self.version(&key).map_or(version, |other| other.max(version));
        self.order.push_back((key.clone(), now));
        self.versions.insert(key, (version, now));
        self.forget(now);
    }

    /// The entity is there again.
    pub(super) fn remove(&mut self, key: &CollectionKey) {
        self.versions.remove(key);
    }

    /// Forgets the oldest entries.
    pub(super) fn forget(&mut self, now: Duration) {
        while let Some((key, time)) = self.order.front() {
            if now.saturating_sub(*time) <= TIME && self.order.len() <= MOST {
                break;
            }
            // The entity may have gone again since.
            if self.versions.get(key).is_some_and(|(_, last)| last == time) {
                self.versions.remove(key);
            }
            self.order.pop_front();
        }
    }
}
