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
use super::entity_part::{EntityPart, is_whole};
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

/// What messages have brought since the beginning of a load, which has no versions.
#[derive(Debug, Default)]
struct SinceBeginning {
    /// The entities that they have removed.
    removed: BTreeSet<CollectionKey>,
    /// The parts of entities that they have brought. `None` for an entity that they have shown as a whole.
    parts: BTreeMap<CollectionKey, Option<EntityPart>>,
}

/// The entities that match a subscription.
#[derive(Debug, Default)]
pub(super) struct Collection {
    held: BTreeMap<CollectionKey, Held>,
    gone: Gone,
    online: OnlineTime,
    /// The number of beginnings so far.
    beginnings: u64,
    /// True if the subscriptions of the connection are in force.
    is_subscribed: bool,
    has_all: bool,
    /// True if events have only the attributes that were published, also those with a version.
    merges: bool,
    /// What messages have brought since the beginning of a load. `None` if no load is awaited.
    since: Option<SinceBeginning>,
}

impl Collection {
    /// The entities, in the order of their ids.
    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = &Arc<Entity>> {
        self.held.values().map(|held| &held.entity)
    }

    /// An empty collection. `merges`: events have only the attributes that were published, also those with a version.
    pub(super) fn merging(merges: bool) -> Self {
        Self { merges, ..Self::default() }
    }

    /// True if the collection is connected and holds every entity that matches.
    pub(super) fn is_complete(&self) -> bool {
        self.has_all && self.is_subscribed
    }

    /// A connection opened.
    pub(super) fn connected(&mut self, now: Instant) {
        self.online.online(now);
    }

    /// The subscriptions of the connection are in force.
    pub(super) fn subscribed(&mut self, now: Instant) {
        self.online.online(now);
        self.is_subscribed = true;
    }

    /// A snapshot begins. Entities that neither it nor a later message shows are gone.
    pub(super) fn begin(&mut self) {
        self.beginnings += 1;
        self.has_all = false;
    }

    /// A load begins, as a snapshot does.
    pub(super) fn begin_load(&mut self) {
        self.begin();
        self.since = Some(SinceBeginning::default());
    }

    /// The connection ended.
    pub(super) fn disconnected(&mut self, now: Instant) {
        self.online.offline(now);
        (self.is_subscribed, self.has_all) = (false, false);
    }

    /// The stream has every change since it was complete.
    pub(super) fn recovered(&mut self) {
        self.has_all = true;
    }

    /// The snapshot is complete. Removes the entities that the snapshot lacks. After a load without a connection, the verdict of the
    /// next one tells whether changes are missing.
    pub(super) fn snapshot_complete(&mut self, now: Instant) -> Vec<EntitiesChange> {
        self.has_all = self.is_subscribed;
        self.since = None;
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
        let SinceBeginning { removed, parts } = self.since.take().unwrap_or_default();
        let mut changes = Vec::new();
        for loaded in entities {
            let key = CollectionKey::of_entity(&loaded);
            let held = self.held.get(&key);
            let after = match held.filter(|held| held.shown_in == beginning) {
                _ if removed.contains(&key) => continue,
                Some(shown) => match parts.get(&key) {
                    Some(Some(part)) => loaded.with_part(part, &shown.entity),
                    // Messages have shown all of it.
                    _ => continue,
                },
                None => loaded.at_least(held.and_then(|held| held.entity.version()).max(self.gone.version(&key))),
            };
            let after = Arc::new(after);
            self.gone.remove(&key);
            let before = self.held.insert(key, Held { entity: Arc::clone(&after), shown_in: beginning });
            changes.extend(match before {
                Some(Held { entity: before, .. }) if before.is_same(&after) => None,
                Some(Held { entity: before, .. }) => Some(EntitiesChange::Updated { before, after }),
                None => Some(EntitiesChange::Added(after)),
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
        if let Some(since) = &mut self.since {
            since.removed.insert(key.clone());
            since.parts.remove(key);
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
        let after = Arc::new(Entity::after(Some(&held.entity), message, self.merges));
        held.shown_in = beginning;
        note(self.since.as_mut(), key, message, self.merges);
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
        let entity = Arc::new(Entity::after(None, message, self.merges).at_least(gone));
        note(self.since.as_mut(), key.clone(), message, self.merges);
        self.held.insert(key, Held { entity: Arc::clone(&entity), shown_in: self.beginnings });
        Some(EntitiesChange::Added(entity))
    }
}

/// Notes a message that shows an entity, for the load that follows.
fn note(since: Option<&mut SinceBeginning>, key: CollectionKey, message: &EventMessage<'_>, merges: bool) {
    let Some(since) = since else { return };
    since.removed.remove(&key);
    let part = since.parts.entry(key).or_insert_with(|| Some(EntityPart::default()));
    match part {
        part if is_whole(message, merges) => *part = None,
        Some(part) => part.take(message),
        None => {}
    }
}

#[cfg(test)]
mod tests;
