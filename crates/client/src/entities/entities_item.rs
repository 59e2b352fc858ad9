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
    /// The entity does not match any more, or it is gone.
    Removed(Arc<Entity>),
    /// The collection holds every entity that matches. The item comes once after each connection: with the end of its snapshot, or
    /// with the last of the changes that the stream missed.
    Complete,
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
