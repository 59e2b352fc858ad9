use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use entity_stream_protocol::{Subscription, SubscriptionName, Tenant};
use futures_util::{Stream, StreamExt};

use super::entities_item::EntitiesItem;
use super::entity::Entity;
use super::entity_collection::EntityCollection;
use super::loaded_entity::LoadedEntity;
use crate::error::ClientError;
use crate::item::StreamItem;
use crate::state::StreamState;
use crate::stream::EntityStream;
use crate::subscription_limits::InvalidSubscriptions;

/// The entities that match a subscription, kept up to date. [`Client::entities`](crate::Client::entities) opens it.
///
/// The collection works while it is polled, as an [`EntityStream`] does. The snapshot of the server fills it, and events keep the
/// collection up to date. It puts the messages about each entity into the order of their versions, so that neither the order of
/// arrival nor a repeated message makes a difference. After a lost connection it recovers the changes that it missed, or a new
/// snapshot shows what has changed and what is gone.
///
/// An entity leaves the collection if it is deleted, and if a change makes it no longer match `q` or `geoQ`. Two kinds of entities
/// stay until the next snapshot or load, which does not show them: those that the server has forgotten, because they did not change
/// for days, and those that have lost the types of the filter. The server sends nothing about them.
///
/// The collection ends after its first `Err`, which no other attempt with the same arguments would change.
#[must_use = "a collection does nothing until it is polled"]
pub struct Entities {
    tenant: Tenant,
    stream: EntityStream,
    collection: EntityCollection,
    /// The collection of an update, until it is complete.
    next: Option<EntityCollection>,
    /// The number of updates so far, which tells their subscriptions apart.
    updates: u64,
    items: VecDeque<EntitiesItem>,
}

impl Entities {
    pub(crate) fn new(tenant: Tenant, stream: EntityStream, collection: EntityCollection) -> Self {
        let collection = collection.deferring_loads();
        Self { tenant, stream, collection, next: None, updates: 0, items: VecDeque::new() }
    }

    /// The next change; `None` after the end. The collection has each change when it is handed out, and may have those that are
    /// handed out next.
    ///
    /// The method is cancel safe.
    ///
    /// # Errors
    /// The error that ended the collection. Temporary errors are items, unless the client does not reconnect.
    pub async fn try_next(&mut self) -> Result<Option<EntitiesItem>, ClientError> {
        poll_fn(|cx| self.poll_next_unpin(cx)).await.transpose()
    }

    /// The entities, in the order of their ids.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Arc<Entity>> {
        self.collection.iter()
    }

    /// The entities with this id: one for each service path that has it.
    pub fn with_id<'a>(&'a self, id: &'a str) -> impl Iterator<Item = &'a Arc<Entity>> {
        self.collection.with_id(id)
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

    /// Changes the filter. The collection keeps its entities until it has all that match the new one; then the changes from the
    /// one set to the other are handed out, and [`EntitiesItem::Complete`]. If the server refuses the filter,
    /// [`EntitiesItem::UpdateRefused`] tells, and the former one stays. A later update takes the place of one that is under way.
    ///
    /// # Errors
    /// [`InvalidSubscriptions`] if the subscriptions together are too large for a message. Nothing changes.
    pub fn update(&mut self, entities: impl Into<Subscription>) -> Result<(), InvalidSubscriptions> {
        let name = self.next_name();
        let entities = Subscription { name, ..entities.into() };
        let next = self.collection.with_other(entities);
        if next.is_loaded() {
            self.stream.subscribe([next.subscription().clone()])?;
        } else {
            self.stream.subscribe_with_snapshot([next.subscription().clone()])?;
        }
        if let Some(given_up) = self.next.replace(next) {
            self.end(&given_up);
        }
        Ok(())
    }

    /// Takes the entities that another source has shown, in answer to the last [`EntitiesItem::LoadNeeded`]. The changes that they
    /// make are handed out, and [`EntitiesItem::Complete`] if the collection is connected. `LoadNeeded` comes once more if the
    /// collection has learnt of other changes that it cannot read from events. What has changed or was deleted since that item is
    /// newer and stays. Without that item the call changes nothing.
    pub fn load(&mut self, entities: impl IntoIterator<Item = LoadedEntity>) {
        match &mut self.next {
            None => self.items.extend(self.collection.load(&self.tenant, entities)),
            Some(next) => {
                next.load(&self.tenant, entities);
                if next.is_filled() {
                    self.finish_update();
                }
            }
        }
    }

    fn next_name(&mut self) -> SubscriptionName {
        loop {
            self.updates += 1;
            let name = name_of_update(self.updates);
            if name != self.collection.subscription().name {
                return name;
            }
        }
    }

    fn end(&mut self, collection: &EntityCollection) {
        // If the stream does not have the subscription, there is nothing to end.
        let _ = self.stream.unsubscribe(collection.subscription().name.clone());
    }

    /// The collection of the update is complete.
    fn finish_update(&mut self) {
        if let Some(next) = self.next.take() {
            let former = std::mem::replace(&mut self.collection, next);
            self.items.extend(former.changes_to(&self.collection).chain([EntitiesItem::Complete]));
            self.end(&former);
        }
    }

    /// The server refused a subscription. If it is that of the update, the former collection stays, and may need a load.
    fn refuse_update(&mut self, is_of: impl FnOnce(&mut EntityCollection) -> bool, error: ClientError) {
        if self.next.take_if(is_of).is_some() {
            self.items.push_back(EntitiesItem::UpdateRefused { error });
            self.items.extend(self.collection.awaits_load().then_some(EntitiesItem::LoadNeeded));
        }
    }

    /// Takes an item for the collection of the update.
    fn take_for_update(&mut self, item: &StreamItem) {
        let Some(next) = &mut self.next else { return };
        let needs_load = next.take(item).into_iter().any(|item| matches!(item, EntitiesItem::LoadNeeded));
        if needs_load {
            self.items.push_back(EntitiesItem::LoadNeeded);
        }
        if next.is_filled() {
            self.finish_update();
        }
    }

    /// A load of what messages have not told, if there is one.
    fn load_if_unclear(&mut self) -> Option<EntitiesItem> {
        self.next.as_mut().unwrap_or(&mut self.collection).load_if_unclear()
    }

    /// The state of the connection.
    pub fn state(&self) -> StreamState {
        self.stream.state()
    }

    /// Closes the connection in order, within a second. Dropping the collection cuts the connection off instead.
    pub async fn close(self) {
        self.stream.close().await;
    }

    fn take(&mut self, item: StreamItem) {
        let has_update = self.next.is_some();
        let items = self.collection.take(&item);
        // A load is for the update.
        self.items.extend(items.into_iter().filter(|item| !has_update || !matches!(item, EntitiesItem::LoadNeeded)));
        self.take_for_update(&item);
        match item {
            StreamItem::Refused { request, error } => {
                self.refuse_update(|next| request.adds(&next.subscription().name), error);
            }
            StreamItem::SubscriptionEnded { subscription, error } => {
                self.refuse_update(|next| next.subscription().name == subscription.name, error);
            }
            StreamItem::Disconnected { error, retry_in, .. } => {
                self.items.push_back(EntitiesItem::Disconnected { error, retry_in });
            }
            StreamItem::TokenNotRenewed { error } => self.items.push_back(EntitiesItem::Notice(error.to_string())),
            StreamItem::Notice(text) => self.items.push_back(EntitiesItem::Notice(text)),
            _ => {}
        }
    }
}

impl Stream for Entities {
    type Item = Result<EntitiesItem, ClientError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let entities = self.get_mut();
        loop {
            if let Some(item) = entities.items.pop_front() {
                return Poll::Ready(Some(Ok(item)));
            }
            match entities.stream.poll_next_unpin(cx) {
                Poll::Ready(Some(Ok(item))) => entities.take(item),
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(Err(error))),
                Poll::Ready(None) => return Poll::Ready(None),
                // One load is for all messages that have arrived.
                Poll::Pending => match entities.load_if_unclear() {
                    Some(item) => entities.items.push_back(item),
                    None => return Poll::Pending,
                },
            }
        }
    }
}

/// The name of the subscription of an update.
fn name_of_update(number: u64) -> SubscriptionName {
    // Digits and letters are always a name.
    SubscriptionName::parse(format!("update-{number}")).unwrap_or_default()
}

impl fmt::Debug for Entities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entities")
            .field("stream", &self.stream)
            .field("len", &self.len())
            .field("is_complete", &self.is_complete())
            .finish_non_exhaustive()
    }
}
