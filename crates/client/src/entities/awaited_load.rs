use std::collections::{BTreeMap, BTreeSet};

use super::collection_key::CollectionKey;
use super::entity_part::EntityPart;

/// A load that the program has been asked for, and what messages have brought since then. The entities of a load have no versions.
#[derive(Debug, Default)]
pub(super) struct AwaitedLoad {
    /// The versions that were known when the program was asked. What it reads after that is at least as new.
    pub(super) included: BTreeMap<CollectionKey, u64>,
    /// The entities that messages have removed.
    removed: BTreeSet<CollectionKey>,
    /// The parts of entities that messages have brought. `None` for an entity that they have shown as a whole.
    parts: BTreeMap<CollectionKey, Option<EntityPart>>,
}

impl AwaitedLoad {
    /// A load in the place of another one that was awaited.
    pub(super) fn after(former: Option<Self>) -> Self {
        Self { included: former.unwrap_or_default().included, ..Self::default() }
    }

    /// The load has all changes of the entity up to this version.
    pub(super) fn include(&mut self, key: CollectionKey, version: u64) {
        let included = self.included.entry(key).or_default();
        *included = version.max(*included);
    }

    /// True if the load has this change of the entity.
    pub(super) fn has(&self, key: &CollectionKey, version: Option<u64>) -> bool {
        version.is_some() && version <= self.included.get(key).copied()
    }

    /// A message has removed the entity.
    pub(super) fn remove(&mut self, key: CollectionKey) {
        self.parts.remove(&key);
        self.removed.insert(key);
    }

    /// A message has shown a part of the entity, or the whole. Returns whether one has removed the entity before.
    pub(super) fn show(&mut self, key: CollectionKey, shown: Option<EntityPart>) -> bool {
        let was_removed = self.removed.remove(&key);
        let known = self.parts.entry(key).or_insert_with(|| Some(EntityPart::default()));
        match (known.as_mut(), shown) {
            (Some(known), Some(part)) => known.extend(part),
            _ => *known = None,
        }
        was_removed
    }

    /// True if a message has removed the entity.
    pub(super) fn has_removed(&self, key: &CollectionKey) -> bool {
        self.removed.contains(key)
    }

    /// The part of the entity that messages have shown. `None` if they have shown the whole.
    pub(super) fn part(&self, key: &CollectionKey) -> Option<&EntityPart> {
        self.parts.get(key)?.as_ref()
    }
}
