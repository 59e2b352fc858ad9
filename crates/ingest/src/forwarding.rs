//! Puts the changes of a notification on the bus.
//!
//! Invariant: each entity is published, refused, or waiting, and is counted once.

use entity_stream_publisher::limits::REQUEST_ENTRIES;
use entity_stream_publisher::{BusEntry, PublishError, Publisher};
use futures_util::future::join_all;
use tokio::time::Instant;

use crate::refused_entity::{EntityFault, RefusedEntity};

/// The requests to the bus at the same time. A thousand entities are a hundred requests.
const LANES: usize = 4;

/// An entity on its way to the bus.
#[derive(Debug)]
pub(crate) struct OutgoingEntity {
    pub(crate) index: usize,
    pub(crate) id: String,
    pub(crate) entry: BusEntry,
}

impl AsRef<BusEntry> for OutgoingEntity {
    fn as_ref(&self) -> &BusEntry {
        &self.entry
    }
}

/// The results of the entities.
#[derive(Debug, Default)]
pub(crate) struct Forwarded {
    pub(crate) published: usize,
    /// The bus refused these for good.
    pub(crate) refused: Vec<RefusedEntity>,
    /// The number of those that the bus does not have, and may take later.
    pub(crate) waiting: usize,
    /// The reason of the last one that waits.
    pub(crate) reason: Option<PublishError>,
}

/// Publishes entities, some requests at a time, until the bus has decided on each or the deadline is over.
pub(crate) async fn forward(publisher: &Publisher, entities: Vec<OutgoingEntity>, deadline: Instant) -> Forwarded {
    let requests = entities.len().div_ceil(REQUEST_ENTRIES);
    let lane = requests.div_ceil(LANES).max(1) * REQUEST_ENTRIES;
    let results = join_all(entities.chunks(lane).map(|lane| publisher.publish(lane, deadline))).await;
    let mut forwarded = Forwarded::default();
    for (entity, result) in entities.into_iter().zip(results.into_iter().flatten()) {
        let OutgoingEntity { index, id, .. } = entity;
        match result {
            Ok(_) => forwarded.published += 1,
            Err(PublishError::Refused { code, .. }) => {
                forwarded.refused.push(RefusedEntity { index, id: Some(id), fault: EntityFault::Bus { code } });
            }
            Err(reason) => {
                forwarded.waiting += 1;
                forwarded.reason = Some(reason);
            }
        }
    }
    forwarded
}
