//! A collection of entities, without I/O.
//!
//! Invariants:
//! - A message never replaces a newer version of an entity, also if the entity is gone. A collection that the program loads compares
//!   the versions of attributes. So the order in which messages arrive, and their repetition, make no difference.
//! - A message that does not tell what has changed changes nothing in a collection that the program loads: the next load shows it.
//! - At the end of a snapshot, or of a load, the collection holds exactly the entities that match: those of the snapshot or of the
//!   load, those that messages since its beginning have added or changed, and no others.
//! - The changes that it returns lead from each of its states to the next.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use entity_stream_protocol::{EventMessage, EventType};
use tokio::time::Instant;

use super::attribute_versions::AttributeVersions;
use super::awaited_load::AwaitedLoad;
use super::collection_key::CollectionKey;
use super::entity::Entity;
use super::gone::{EntityEnd, Gone};
use super::loaded_view::LoadedView;
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
    /// Those of an entity that the collection merges from messages.
    versions: AttributeVersions,
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
    /// True if the subscription of the collection is in force.
    is_in_force: bool,
    has_all: bool,
    /// What messages show. `None` if the program does not load the entities: a message with a version then replaces the entity.
    loaded: Option<LoadedView>,
    /// `None` if no load is awaited.
    awaited: Option<AwaitedLoad>,
    /// The entities that another load has to show, with the greatest version of the messages that did not tell what has changed.
    unclear: BTreeMap<CollectionKey, u64>,
}

impl Collection {
    /// The entities, in the order of their ids.
    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = &Arc<Entity>> {
        self.held.values().map(|held| &held.entity)
    }

    /// An empty collection that the program loads.
    pub(super) fn loaded(view: LoadedView) -> Self {
        Self { loaded: Some(view), ..Self::default() }
    }

    /// True if the collection is connected and holds every entity that matches.
    pub(super) fn is_complete(&self) -> bool {
        self.is_filled() && !self.is_unclear()
    }

    /// The same, but messages may not have told what has changed.
    pub(super) fn is_filled(&self) -> bool {
        self.has_all && self.is_in_force
    }

    /// A connection is open.
    pub(super) fn connected(&mut self, now: Instant) {
        self.online.online(now);
    }

    /// True if the subscription of the collection is in force.
    pub(super) fn is_in_force(&self) -> bool {
        self.is_in_force
    }

    /// The subscription of the collection has come into force, or has ended.
    pub(super) fn set_in_force(&mut self, is_in_force: bool) {
        self.is_in_force = is_in_force;
    }

    /// A snapshot begins. Entities that neither it nor a later message shows are gone.
    pub(super) fn begin(&mut self) {
        self.beginnings += 1;
        self.has_all = false;
    }

    /// A load begins, as a snapshot does.
    pub(super) fn begin_load(&mut self) {
        self.begin();
        let mut awaited = AwaitedLoad::after(self.awaited.take());
        let held = self.held.iter().filter_map(|(key, held)| Some((key.clone(), held.entity.version()?)));
        for (key, version) in held.chain(std::mem::take(&mut self.unclear)) {
            awaited.include(key, version);
        }
        self.awaited = Some(awaited);
    }

    /// True if another load has to show what messages did not tell.
    pub(super) fn is_unclear(&self) -> bool {
        !self.unclear.is_empty()
    }

    /// The connection ended.
    pub(super) fn disconnected(&mut self, now: Instant) {
        self.online.offline(now);
        (self.is_in_force, self.has_all) = (false, false);
    }

    /// The stream has every change since it was complete.
    pub(super) fn recovered(&mut self) {
        self.has_all = true;
    }

    /// The snapshot is complete. Removes the entities that the snapshot lacks. After a load without a connection, the verdict of the
    /// next one tells whether changes are missing.
    pub(super) fn snapshot_complete(&mut self, now: Instant) -> Vec<EntitiesChange> {
        self.has_all = self.is_in_force;
        let beginning = self.beginnings;
        let lacking = self.held.extract_if(.., |_, held| held.shown_in < beginning);
        let lacking: Vec<_> = lacking.collect();
        let time = self.online.at(now);
        let removed = lacking.into_iter().map(|(key, Held { entity, .. })| {
            if let Some(version) = entity.version() {
                self.gone.insert(key, EntityEnd { version, is_deleted: false }, time);
            }
            EntitiesChange::Removed(entity)
        });
        removed.collect()
    }

    /// Takes the entities of another source, which was read after the beginning. Changes that messages have brought since then are
    /// newer.
    pub(super) fn load(&mut self, entities: impl IntoIterator<Item = Entity>, now: Instant) -> Vec<EntitiesChange> {
        let beginning = self.beginnings;
        let awaited = self.awaited.take().unwrap_or_default();
        let (mut changes, mut found) = (Vec::new(), BTreeSet::new());
        for loaded in entities {
            let key = CollectionKey::of_entity(&loaded);
            found.insert(key.clone());
            let held = self.held.get(&key);
            let after = match held.filter(|held| held.shown_in == beginning) {
                _ if awaited.has_removed(&key) => continue,
                Some(shown) => match awaited.part(&key) {
                    Some(part) => loaded.with_part(part, &shown.entity),
                    // Messages have shown all of it.
                    None => continue,
                },
                None => {
                    let known = [awaited.included.get(&key).copied(), self.gone.version(&key)];
                    loaded.at_least(known.into_iter().max().flatten())
                }
            };
            let mut versions = held.map(|held| held.versions.clone()).unwrap_or_default();
            versions.include(self.gone.version(&key));
            changes.extend(self.hold(key, after, versions));
        }
        changes.extend(self.snapshot_complete(now));
        // Messages have shown a part of an entity that did not match, or was not there, when it was read. The rest is not known.
        let missing = self.held.iter().filter(|(key, _)| awaited.part(key).is_some() && !found.contains(*key));
        let missing: Vec<_> = missing.map(|(key, held)| (key.clone(), held.entity.version())).collect();
        missing.into_iter().for_each(|(key, version)| self.note_unclear(key, version));
        let time = self.online.at(now);
        for (key, version) in awaited.included {
            match self.held.get_mut(&key) {
                Some(held) => held.versions.include(Some(version)),
                None => self.gone.insert(key, EntityEnd { version, is_deleted: false }, time),
            }
        }
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
        if self.has(&key, message.version) {
            return None;
        }
        if self.loaded.is_some_and(|view| view.is_unclear(message)) {
            if !self.is_older_than_end(&key, message) {
                self.note_unclear(key, message.version);
            }
            return None;
        }
        match (message.event_type, self.loaded) {
            (EventType::EntityDeleted | EventType::EntityLeft, _) => self.remove(key, message, time),
            (_, Some(view)) => self.merge(key, message, view),
            (_, None) => self.replace(key, message),
        }
    }

    /// True if a load has shown this change, or will.
    fn has(&self, key: &CollectionKey, version: Option<u64>) -> bool {
        self.awaited.as_ref().is_some_and(|awaited| awaited.has(key, version))
            || self.held.get(key).is_some_and(|held| held.versions.has(version))
    }

    /// A message does not tell what has changed.
    fn note_unclear(&mut self, key: CollectionKey, version: Option<u64>) {
        let version = version.unwrap_or_default();
        let unclear = self.unclear.entry(key).or_default();
        *unclear = version.max(*unclear);
    }

    fn remove(&mut self, key: CollectionKey, message: &EventMessage<'_>, time: Duration) -> Option<EntitiesChange> {
        let (held, version) = (self.held.get_mut(&key), message.version);
        let known = held.as_ref().and_then(|held| held.entity.version());
        if version.is_some() && version < known {
            if let Some(held) = held.filter(|_| self.loaded.is_some()) {
                // The later changes have only some of the attributes that the entity has after its end.
                held.versions.include(version);
                self.note_unclear(key, known);
            }
            return None;
        }
        if let Some(version) = version.max(known) {
            let is_deleted = message.event_type == EventType::EntityDeleted;
            self.gone.insert(key.clone(), EntityEnd { version, is_deleted }, time);
        }
        let removed = self.held.remove(&key);
        if let Some(awaited) = &mut self.awaited {
            awaited.remove(key);
        }
        removed.map(|held| EntitiesChange::Removed(held.entity))
    }

    /// Takes a message that has all of the entity, if it has a version.
    fn replace(&mut self, key: CollectionKey, message: &EventMessage<'_>) -> Option<EntitiesChange> {
        if self.is_older_than_end(&key, message) {
            return None;
        }
        let (held, beginning) = (self.held.get_mut(&key), self.beginnings);
        let is_known = |held: &&mut Held| message.version.is_some() && message.version <= held.entity.version();
        match held {
            Some(held) if is_known(&held) => {
                // The snapshot shows that the entity is there, though a newer change of it is known.
                if message.event_type == EventType::EntitySnapshot {
                    held.shown_in = beginning;
                }
                None
            }
            held => {
                let after = Entity::after(held.as_ref().map(|held| &*held.entity), message);
                let after = after.at_least(self.gone.version(&key));
                self.hold(key, after, AttributeVersions::default())
            }
        }
    }

    /// Takes a message that has all of the entity or a part of it.
    fn merge(&mut self, key: CollectionKey, message: &EventMessage<'_>, view: LoadedView) -> Option<EntitiesChange> {
        if self.is_older_than_end(&key, message) {
            return None;
        }
        let gone = self.gone.version(&key);
        let held = self.held.get_mut(&key);
        let (before, mut versions) = match held {
            Some(held) => (Some(&*held.entity), std::mem::take(&mut held.versions)),
            None => (None, AttributeVersions::default()),
        };
        versions.include(gone);
        let (after, part) = match view.has_whole(message) {
            true => (Entity::replaced(before, message, &mut versions), None),
            false => {
                let (after, part) = Entity::merged(before, message, &mut versions);
                (after, Some(part))
            }
        };
        let is_part = part.is_some();
        let was_removed = self.awaited.as_mut().is_some_and(|awaited| awaited.show(key.clone(), part));
        if was_removed && is_part {
            // The load may have the entity as it was before its end.
            self.note_unclear(key.clone(), message.version);
        }
        self.hold(key, after.at_least(gone), versions)
    }

    /// True if the entity is gone, and the message is not certainly newer. Without a version it is newer than the moment at which the
    /// entity left. Only the creation of an entity is certainly newer than its deletion.
    fn is_older_than_end(&self, key: &CollectionKey, message: &EventMessage<'_>) -> bool {
        self.gone.end(key).is_some_and(|end| match message.version {
            Some(version) => version <= end.version,
            None => end.is_deleted && message.event_type != EventType::EntityCreated,
        })
    }

    /// Holds an entity, which is there.
    fn hold(&mut self, key: CollectionKey, entity: Entity, versions: AttributeVersions) -> Option<EntitiesChange> {
        self.gone.remove(&key);
        let after = Arc::new(entity);
        let held = Held { entity: Arc::clone(&after), versions, shown_in: self.beginnings };
        match self.held.insert(key, held) {
            None => Some(EntitiesChange::Added(after)),
            Some(Held { entity: before, .. }) if before.is_same(&after) => None,
            Some(Held { entity: before, .. }) => Some(EntitiesChange::Updated { before, after }),
        }
    }
}

#[cfg(test)]
mod tests;
