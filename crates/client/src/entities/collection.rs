//! A collection of entities, without I/O.
//!
//! Invariants:
//! - A message never replaces a newer version of an entity, also if the entity is gone. So the order in
//!   which messages arrive, and their repetition, make no difference.
//! - At the end of a snapshot, or of a load, the collection holds exactly the entities that match: those of the snapshot or of the
//!   load, those that messages since its beginning have added or changed, and no others.
//! - The changes that it returns lead from each of its states to the next.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use entity_stream_protocol::{EventMessage, EventType};
use tokio::time::Instant;

use super::collection_key::CollectionKey;
use super::entity::Entity;
use super::gone::Gone;
use crate::online_time::OnlineTime;

/// A change of the collection.
#[derive(Clone, Debug)]
pub(super) enum EntitiesChange {
    Added(Arc<Entity>),
    Updated { before: Arc<Entity>, after: Arc<Entity> },
    Removed(Arc<Entity>),
}

#[derive(Debug)]
struct Held {
    entity: Arc<Entity>,
    /// The number of the last beginning after which a message showed that the entity is there.
    shown_in: u64,
}

/// The entities that match a subscription.
#[derive(Debug, Default)]
pub(super) struct Collection {
    held: BTreeMap<CollectionKey, Held>,
    gone: Gone,
    online: OnlineTime,
    /// The number of beginnings so far.
    beginnings: u64,
    /// The entities that messages have removed since the last beginning. Only a load needs them: it has no versions.
    removed: BTreeSet<CollectionKey>,
    is_complete: bool,
}

impl Collection {
    /// The entities, in the order of their ids.
    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = &Arc<Entity>> {
        self.held.values().map(|held| &held.entity)
    }

    /// True if the collection holds every entity that matches.
    pub(super) fn is_complete(&self) -> bool {
        self.is_complete
    }

    /// A connection opened.
    pub(super) fn connected(&mut self, now: Instant) {
        self.online.online(now);
    }

    /// True if a snapshot or a load has begun.
    pub(super) fn has_begun(&self) -> bool {
        self.beginnings > 0
    }

    /// A snapshot or a load begins. Entities that neither it nor a later message shows are gone.
    pub(super) fn begin(&mut self) {
        self.beginnings += 1;
        self.is_complete = false;
        self.removed.clear();
    }

    /// The connection ended.
    pub(super) fn disconnected(&mut self, now: Instant) {
        self.online.offline(now);
        self.is_complete = false;
    }

    /// The stream has every change since it was complete.
    pub(super) fn recovered(&mut self) {
        self.is_complete = true;
    }

    /// The snapshot is complete. Removes the entities that the snapshot lacks.
    pub(super) fn snapshot_complete(&mut self, now: Instant) -> Vec<EntitiesChange> {
        self.is_complete = true;
        self.removed.clear();
        let beginning = self.beginnings;
        let lacking = self.held.extract_if(.., |_, held| held.shown_in < beginning);
        let lacking: Vec<_> = lacking.collect();
        let time = self.online.at(now);
        let removed = lacking.into_iter().map(|(key, Held { entity, .. })| {
            if let Some(version) = entity.version() {
                self.gone.insert(key, version, time);
            }
            EntitiesChange::Removed(entity)
        });
        removed.collect()
    }

    /// Takes the entities of another source, which was read after the beginning. Changes that messages have brought since then are
    /// newer.
    pub(super) fn load(&mut self, entities: impl IntoIterator<Item = Entity>, now: Instant) -> Vec<EntitiesChange> {
        let beginning = self.beginnings;
        let mut changes = Vec::new();
        for loaded in entities {
            let key = CollectionKey::of_entity(&loaded);
            let held = self.held.get(&key);
            if self.removed.contains(&key) || held.is_some_and(|held| held.shown_in == beginning) {
                continue;
            }
            let known = held.and_then(|held| held.entity.version()).max(self.gone.version(&key));
            let after = Arc::new(loaded.at_least(known));
            self.gone.remove(&key);
            let before = self.held.insert(key, Held { entity: Arc::clone(&after), shown_in: beginning });
            changes.push(match before {
                Some(Held { entity: before, .. }) => EntitiesChange::Updated { before, after },
                None => EntitiesChange::Added(after),
            });
        }
        changes.extend(self.snapshot_complete(now));
        changes
    }

    /// The changes that lead from these entities to those of another collection.
    pub(super) fn changes_to(&self, other: &Self) -> Vec<EntitiesChange> {
        let gone = self.held.iter().filter(|(key, _)| !other.held.contains_key(*key));
        let gone = gone.map(|(_, held)| EntitiesChange::Removed(Arc::clone(&held.entity)));
        let new = other.held.iter().filter_map(|(key, held)| {
            let after = Arc::clone(&held.entity);
            match self.held.get(key) {
                None => Some(EntitiesChange::Added(after)),
                Some(held) if held.entity.is_same(&after) => None,
                Some(held) => Some(EntitiesChange::Updated { before: Arc::clone(&held.entity), after }),
            }
        });
        gone.chain(new).collect()
    }

    /// Takes a message about an entity.
    pub(super) fn apply(&mut self, message: &EventMessage<'_>, now: Instant) -> Option<EntitiesChange> {
        let (key, time) = (CollectionKey::of(message), self.online.at(now));
        self.gone.forget(time);
        match message.event_type {
            EventType::EntityDeleted | EventType::EntityLeft => self.remove(&key, message.version, time),
            EventType::EntityCreated | EventType::EntityUpdated | EventType::EntitySnapshot => self.put(key, message),
        }
    }

    fn remove(&mut self, key: &CollectionKey, version: Option<u64>, time: Duration) -> Option<EntitiesChange> {
        let known = self.held.get(key).and_then(|held| held.entity.version());
        if version.is_some() && version < known {
            return None;
        }
        if let Some(version) = version.max(known) {
            self.gone.insert(key.clone(), version, time);
        }
        if !self.is_complete {
            self.removed.insert(key.clone());
        }
        self.held.remove(key).map(|held| EntitiesChange::Removed(held.entity))
    }

    fn put(&mut self, key: CollectionKey, message: &EventMessage<'_>) -> Option<EntitiesChange> {
        let beginning = self.beginnings;
        let Some(held) = self.held.get_mut(&key) else { return self.add(key, message) };
        let known = held.entity.version();
        if message.version.is_some() && message.version <= known {
            // The snapshot shows that the entity is there, though a newer change of it is known.
            if message.event_type == EventType::EntitySnapshot {
                held.shown_in = beginning;
            }
            return None;
        }
        let after = Arc::new(Entity::after(Some(&held.entity), message));
        held.shown_in = beginning;
        let before = std::mem::replace(&mut held.entity, Arc::clone(&after));
        Some(EntitiesChange::Updated { before, after })
    }

    fn add(&mut self, key: CollectionKey, message: &EventMessage<'_>) -> Option<EntitiesChange> {
        let gone = self.gone.version(&key);
        let is_new = match (message.version, gone) {
            (Some(version), Some(gone)) => version > gone,
            // Without a version, only the creation of an entity that was there before is certainly newer than its end.
            (None, Some(_)) => message.event_type == EventType::EntityCreated,
            (_, None) => true,
        };
        if !is_new {
            return None;
        }
        self.gone.remove(&key);
        self.removed.remove(&key);
        let entity = Arc::new(Entity::after(None, message).at_least(gone));
        self.held.insert(key, Held { entity: Arc::clone(&entity), shown_in: self.beginnings });
        Some(EntitiesChange::Added(entity))
    }
}

#[cfg(test)]
mod tests;
