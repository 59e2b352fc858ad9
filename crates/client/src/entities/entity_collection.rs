use std::fmt;
use std::sync::Arc;

use entity_stream_protocol::{Subscription, Tenant};
use tokio::time::Instant;

use super::collection::Collection;
use super::entities_item::EntitiesItem;
use super::entity::Entity;
use super::loaded_entity::LoadedEntity;
use super::loaded_view::LoadedView;
use crate::item::StreamItem;

/// The entities that match one subscription of an [`EntityStream`](crate::EntityStream), which the program drives itself. So several
/// collections and other subscriptions share one connection. [`Client::entities`](crate::Client::entities) is simpler for one
/// collection.
///
/// The collection needs every item of the stream, in order.
///
/// ```no_run
/// use entity_stream_client::{Client, ClientError, EntityCollection, Filter, Subscription, View};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), ClientError> {
/// let of = |name: &str, kind| -> Result<Subscription, ClientError> {
///     Ok(Subscription { name: name.parse()?, filter: Filter::new([kind], None)?, view: View::default() })
/// };
/// let (mut rooms, mut doors) = (EntityCollection::new(of("rooms", "Room")?), EntityCollection::new(of("doors", "Door")?));
/// let mut stream = Client::builder("ws://localhost:3000", "demo").subscriptions([]).connect()?;
/// stream.subscribe_with_snapshot([rooms.subscription().clone(), doors.subscription().clone()])?;
/// while let Some(item) = stream.try_next().await? {
///     for change in rooms.take(&item) {
///         println!("{change:?}; {} rooms, {} doors", rooms.len(), doors.len());
///     }
///     doors.take(&item);
/// }
/// # Ok(())
/// # }
/// ```
pub struct EntityCollection {
    subscription: Subscription,
    collection: Collection,
    /// True if the program loads the entities, and no snapshot shows them.
    is_loaded: bool,
    stage: CollectionStage,
    /// True if the owner asks for the loads of what messages did not tell.
    defers_loads: bool,
    /// True if the last item was the answer with which a load began. A verdict may follow it.
    has_just_begun: bool,
}

/// The way of a collection to all its entities.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CollectionStage {
    /// The subscription has to come into force, or has to come into force again.
    New,
    /// The program has to load the entities.
    AwaitsLoad,
    /// The collection was complete, so that a resume makes it complete again.
    Filled,
}

impl EntityCollection {
    /// A collection of the entities that match, with nothing in it. A [`Filter`](crate::Filter) selects the entities. A
    /// [`Subscription`] can have a name and a view as well. The collection ignores the filter's `notificationTrigger` and
    /// `watchedAttributes`.
    pub fn new(entities: impl Into<Subscription>) -> Self {
        let Subscription { name, filter, view } = entities.into();
        let shows_changes = view.shows_changes();
        let subscription =
            Subscription { name, filter: filter.of_entities(), view: view.with_state(true, shows_changes) };
        Self::empty(subscription, Collection::default(), false)
    }

    fn empty(subscription: Subscription, collection: Collection, is_loaded: bool) -> Self {
        Self {
            subscription,
            collection,
            is_loaded,
            stage: CollectionStage::New,
            defers_loads: false,
            has_just_begun: false,
        }
    }

    /// A collection whose entities the program [loads](Self::load): see [`Client::loaded_entities`](crate::Client::loaded_entities).
    /// The stream needs its subscription without a snapshot.
    pub fn loaded(entities: impl Into<Subscription>) -> Self {
        let Subscription { name, filter, view } = entities.into();
        let subscription = Subscription { name, filter: filter.of_entities(), view };
        let collection = Collection::loaded(LoadedView::of(&subscription));
        Self::empty(subscription, collection, true)
    }

    /// Takes the entities that another source has shown after [`EntitiesItem::LoadNeeded`]. Returns the changes that they make, and
    /// [`EntitiesItem::Complete`] if the collection is connected. `LoadNeeded` follows if messages have not told what has changed
    /// meanwhile. `tenant` is the tenant of the stream. Without that item the call changes nothing.
    pub fn load(&mut self, tenant: &Tenant, entities: impl IntoIterator<Item = LoadedEntity>) -> Vec<EntitiesItem> {
        if !self.awaits_load() {
            return Vec::new();
        }
        let entities = entities.into_iter().map(|loaded| Entity::loaded(tenant, loaded));
        let changes = self.collection.load(entities, Instant::now());
        self.stage = CollectionStage::Filled;
        let complete = self.is_filled().then_some(EntitiesItem::Complete);
        let again = if self.defers_loads { None } else { self.load_if_unclear() };
        changes.into_iter().map(EntitiesItem::from).chain(complete).chain(again).collect()
    }

    /// The same collection, whose owner asks for the loads of what messages did not tell.
    pub(super) fn deferring_loads(self) -> Self {
        Self { defers_loads: true, ..self }
    }

    /// An empty collection of other entities, which is filled as this one is.
    pub(super) fn with_other(&self, entities: impl Into<Subscription>) -> Self {
        let other = if self.is_loaded { Self::loaded(entities) } else { Self::new(entities) };
        Self { defers_loads: self.defers_loads, ..other }
    }

    /// A load, if messages have not told what has changed, and no load is awaited.
    pub(super) fn load_if_unclear(&mut self) -> Option<EntitiesItem> {
        let is_due = self.stage == CollectionStage::Filled && self.collection.is_in_force();
        (is_due && self.collection.is_unclear()).then(|| self.needs_load())
    }

    /// True if the collection is connected and has been filled.
    pub(super) fn is_filled(&self) -> bool {
        self.collection.is_filled()
    }

    /// True if the program has to load the entities now.
    pub(super) fn awaits_load(&self) -> bool {
        self.stage == CollectionStage::AwaitsLoad
    }

    /// True if the program loads the entities.
    pub(super) fn is_loaded(&self) -> bool {
        self.is_loaded
    }

    /// The changes that lead from this collection to another.
    pub(super) fn changes_to(&self, other: &Self) -> impl Iterator<Item = EntitiesItem> {
        self.collection.changes_to(&other.collection).into_iter().map(EntitiesItem::from)
    }

    /// The program has to load the entities.
    fn needs_load(&mut self) -> EntitiesItem {
        self.stage = CollectionStage::AwaitsLoad;
        self.collection.begin_load();
        EntitiesItem::LoadNeeded
    }

    /// The subscription is over. The next one begins with all entities.
    fn renew(&mut self) {
        self.stage = CollectionStage::New;
        self.collection.begin();
    }

    /// Returns whether the program has to load the entities after this item.
    fn is_reason_to_load(&self, item: &StreamItem) -> bool {
        match item {
            // After a later connection, the verdict follows.
            StreamItem::Subscribed { .. } => self.stage == CollectionStage::New,
            StreamItem::NotRecovered { .. } => self.stage != CollectionStage::New,
            StreamItem::Accepted(request) => request.adds(&self.subscription.name),
            _ => false,
        }
    }

    /// The subscription that the stream needs for this collection, with a snapshot.
    pub fn subscription(&self) -> &Subscription {
        &self.subscription
    }

    /// Takes an item of the stream. Returns the changes that it makes, and [`EntitiesItem::Complete`].
    pub fn take(&mut self, item: &StreamItem) -> Vec<EntitiesItem> {
        let now = Instant::now();
        let is_verdict = matches!(item, StreamItem::Recovered { .. } | StreamItem::NotRecovered { .. });
        if std::mem::take(&mut self.has_just_begun) && is_verdict {
            // It is about the time before the collection began.
            return Vec::new();
        }
        match item {
            StreamItem::Disconnected { .. } => self.collection.disconnected(now),
            StreamItem::Idle => {
                self.collection.disconnected(now);
                self.renew();
            }
            StreamItem::Connected => {
                self.collection.connected(now);
                if !self.is_loaded {
                    self.collection.begin();
                }
            }
            StreamItem::Event(event) | StreamItem::Snapshot(event) => {
                if event.subscriptions().contains(&self.subscription.name) {
                    let change = self.collection.apply(event.message(), now).map(EntitiesItem::from);
                    let load = if self.defers_loads { None } else { self.load_if_unclear() };
                    return change.into_iter().chain(load).collect();
                }
            }
            StreamItem::SubscriptionEnded { subscription, .. } => {
                if subscription.name == self.subscription.name {
                    self.collection.set_in_force(false);
                    self.renew();
                }
            }
            StreamItem::Subscribed { .. }
            | StreamItem::Accepted(_)
            | StreamItem::Recovered { .. }
            | StreamItem::NotRecovered { .. }
            | StreamItem::SnapshotComplete { .. } => return self.take_answer(item, now),
            StreamItem::Refused { .. }
            | StreamItem::Pong { .. }
            | StreamItem::TokenNotRenewed { .. }
            | StreamItem::Notice(_) => {}
        }
        Vec::new()
    }

    /// Takes an item that comes with an answer of the server: the connection is open, also if the collection has begun after that.
    fn take_answer(&mut self, item: &StreamItem, now: Instant) -> Vec<EntitiesItem> {
        self.collection.connected(now);
        if let Some(is_in_force) = self.is_in_force_after(item) {
            self.collection.set_in_force(is_in_force);
        }
        if !self.collection.is_in_force() {
            // The answer is about other subscriptions.
            if self.stage != CollectionStage::New {
                self.renew();
            }
            return Vec::new();
        }
        if self.is_loaded && self.is_reason_to_load(item) {
            self.has_just_begun = !matches!(item, StreamItem::NotRecovered { .. });
            return vec![self.needs_load()];
        }
        match item {
            StreamItem::Recovered { .. } if self.stage == CollectionStage::Filled => {
                self.collection.recovered();
                vec![self.load_if_unclear().unwrap_or(EntitiesItem::Complete)]
            }
            StreamItem::SnapshotComplete { subscriptions, .. } if subscriptions.contains(&self.subscription.name) => {
                self.stage = CollectionStage::Filled;
                let removed = self.collection.snapshot_complete(now).into_iter().map(EntitiesItem::from);
                removed.chain([EntitiesItem::Complete]).collect()
            }
            // After `NotRecovered` the snapshot follows.
            _ => Vec::new(),
        }
    }

    /// Whether the subscription is in force after an answer. `None`: as before.
    fn is_in_force_after(&self, item: &StreamItem) -> Option<bool> {
        let name = &self.subscription.name;
        match item {
            StreamItem::Subscribed { subscriptions } => Some(subscriptions.contains(name)),
            StreamItem::SnapshotComplete { subscriptions, .. } => subscriptions.contains(name).then_some(true),
            StreamItem::Accepted(request) if request.adds(name) => Some(true),
            StreamItem::Accepted(request) if request.removes() == Some(name) => Some(false),
            _ => None,
        }
    }

    /// The entities, in the order of their ids.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Arc<Entity>> {
        self.collection.iter()
    }

    /// The entities with this id: one for each service path that has it.
    pub fn with_id<'a>(&'a self, id: &'a str) -> impl Iterator<Item = &'a Arc<Entity>> {
        self.iter().filter(move |entity| entity.id() == id)
    }

    /// The number of entities.
    pub fn len(&self) -> usize {
        self.iter().len()
    }

    /// True if there are no entities.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// True if the collection holds every entity that matches, and is connected. False until the first snapshot is complete.
    pub fn is_complete(&self) -> bool {
        self.collection.is_complete()
    }
}

impl fmt::Debug for EntityCollection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EntityCollection")
            .field("subscription", &self.subscription.name)
            .field("len", &self.len())
            .field("is_complete", &self.is_complete())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
