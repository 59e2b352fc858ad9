use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_util::{Stream, StreamExt};

use super::entities_item::EntitiesItem;
use super::entity::Entity;
use super::entity_collection::EntityCollection;
use crate::error::ClientError;
use crate::item::StreamItem;
use crate::state::StreamState;
use crate::stream::EntityStream;

/// The entities that match a subscription, kept up to date. [`Client::entities`](crate::Client::entities) opens it.
///
/// The collection works while it is polled, as an [`EntityStream`] does. The snapshot of the server fills it, and events keep the
/// collection up to date. It puts the messages about each entity into the order of their versions, so that neither the order of
/// arrival nor a repeated message makes a difference. After a lost connection it recovers the changes that it missed, or a new
/// snapshot shows what has changed and what is gone.
///
/// An entity is there while it exists and matches the filter. The entity leaves the collection if it is deleted, if a change makes
/// it no longer match, and if the server has forgotten it, because it did not change for days.
///
/// The collection ends after its first `Err`, which no other attempt with the same arguments would change.
#[must_use = "a collection does nothing until it is polled"]
pub struct Entities {
    stream: EntityStream,
    collection: EntityCollection,
    items: VecDeque<EntitiesItem>,
}

impl Entities {
    pub(crate) fn new(stream: EntityStream, collection: EntityCollection) -> Self {
        Self { stream, collection, items: VecDeque::new() }
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

    /// The state of the connection.
    pub fn state(&self) -> StreamState {
        self.stream.state()
    }

    /// Closes the connection in order, within a second. Dropping the collection cuts the connection off instead.
    pub async fn close(self) {
        self.stream.close().await;
    }

    fn take(&mut self, item: StreamItem) {
        self.items.extend(self.collection.take(&item));
        match item {
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
            match ready!(entities.stream.poll_next_unpin(cx)) {
                Some(Ok(item)) => entities.take(item),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            }
        }
    }
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
