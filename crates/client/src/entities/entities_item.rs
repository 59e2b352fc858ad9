use std::sync::Arc;
use std::time::Duration;

use super::collection::EntitiesChange;
use super::entity::Entity;
use crate::error::ClientError;

/// A change of [`Entities`](crate::Entities), or of its connection.
#[derive(Debug)]
#[non_exhaustive]
pub enum EntitiesItem {
    /// The entity is new in the collection: it was there when the collection began, it was created, or it matches now.
    Added(Arc<Entity>),
    /// The entity has changed.
    Updated {
        /// The entity before the change.
        before: Arc<Entity>,
        /// The entity now.
        after: Arc<Entity>,
    },
    /// The entity does not match any more, or it is gone. The end of a snapshot or a load removes those that it lacks.
    Removed(Arc<Entity>),
    /// The collection holds every entity that matches. The item comes once after each connection and each update: with the end of
    /// the snapshot, with each load, or with the last of the changes that the stream missed. After these changes, the collection may
    /// also hold entities that the server has forgotten, or that have lost the types of the filter.
    Complete,
    /// A collection that the program [loads](crate::Client::loaded_entities) needs the entities that match now. The program reads
    /// them after it has received this item, and passes them to [`Entities::load`](crate::Entities::load). Changes that come
    /// meanwhile are in the collection already.
    ///
    /// The item comes when the subscription is in force, if the collection may have missed changes, and after a message that does not
    /// tell what has changed: a late change, an entity of which a resume shows what the server knows, or an end that arrives after a
    /// later change.
    LoadNeeded,
    /// The server refused the filter of an [update](crate::Entities::update). The collection keeps the former one.
    UpdateRefused {
        /// The reason.
        error: ClientError,
    },
    /// The connection failed. The collection keeps its entities. [`EntitiesItem::Complete`] follows when the collection is up to
    /// date again.
    Disconnected {
        /// The reason, which is temporary.
        error: ClientError,
        /// The time until the next attempt.
        retry_in: Duration,
    },
    /// A sentence about a frame of the server that changes nothing, for people.
    Notice(String),
}

impl From<EntitiesChange> for EntitiesItem {
    fn from(change: EntitiesChange) -> Self {
        match change {
            EntitiesChange::Added(entity) => Self::Added(entity),
            EntitiesChange::Updated { before, after } => Self::Updated { before, after },
            EntitiesChange::Removed(entity) => Self::Removed(entity),
        }
    }
}
