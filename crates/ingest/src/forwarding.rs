//! Puts the changes of a notification on the bus.
//!
//! Invariant: each entity is published, refused, or waiting, and is counted once.

use std::collections::HashMap;

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
    pub(crate) service_path: String,
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
    let lanes = lanes(entities);
    let results = join_all(lanes.iter().map(|lane| publisher.publish(lane, deadline))).await;
    let mut forwarded = Forwarded::default();
    for (entity, result) in lanes.into_iter().flatten().zip(results.into_iter().flatten()) {
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

/// Divides entities into lanes. The requests of a lane follow each other, so all changes of an entity are in one lane, in their
/// order. An entity goes in the first lane that has room for all its changes. If there is none, it goes in a new lane, then in the
/// shortest one.
fn lanes(entities: Vec<OutgoingEntity>) -> Vec<Vec<OutgoingEntity>> {
    let requests = entities.len().div_ceil(REQUEST_ENTRIES);
    let longest = requests.div_ceil(LANES).max(1) * REQUEST_ENTRIES;
    let key = |entity: &OutgoingEntity| (entity.service_path.clone(), entity.id.clone());
    let mut counts: HashMap<(String, String), usize> = HashMap::with_capacity(entities.len());
    for entity in &entities {
        *counts.entry(key(entity)).or_default() += 1;
    }
    // With the changes that are still to come.
    let mut lengths: Vec<usize> = Vec::with_capacity(LANES);
    let mut lanes: Vec<Vec<OutgoingEntity>> = Vec::with_capacity(LANES);
    let mut of_entity: HashMap<(String, String), usize> = HashMap::with_capacity(counts.len());
    for entity in entities {
        let key = key(&entity);
        let count = counts.get(&key).copied().unwrap_or(1);
        let lane = *of_entity.entry(key).or_insert_with(|| {
            let roomy = lengths.iter().position(|length| length + count <= longest);
            let shortest = || (0..lengths.len()).min_by_key(|lane| lengths[*lane]).filter(|_| lengths.len() == LANES);
            let lane = roomy.or_else(shortest).unwrap_or(lengths.len());
            if lane == lengths.len() {
                lengths.push(0);
                lanes.push(Vec::with_capacity(longest));
            }
            lengths[lane] += count;
            lane
        });
        lanes[lane].push(entity);
    }
    lanes
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn entity(index: usize, id: u8) -> OutgoingEntity {
        let (id, service_path) = (format!("urn:{}", id / 2), format!("/{}", id % 2));
        OutgoingEntity { index, service_path, id, entry: BusEntry::new("s", "t", "{}") }
    }

    fn indices(lane: &[OutgoingEntity]) -> Vec<usize> {
        lane.iter().map(|entity| entity.index).collect()
    }

    #[test]
    fn different_entities_go_in_four_lanes() {
        let lanes = |count: u8| lanes((0..count).map(|id| entity(usize::from(id), id)).collect());
        let lengths = |count| lanes(count).iter().map(Vec::len).collect::<Vec<_>>();
        assert_eq!((lengths(0), lengths(1), lengths(40), lengths(45)), (vec![], vec![1], vec![10; 4], vec![20, 20, 5]));
    }

    #[test]
    fn the_lanes_are_as_long_if_entities_occur_several_times() {
        let lengths = |ids: Vec<u8>| -> Vec<usize> {
            let entities = ids.into_iter().enumerate().map(|(index, id)| entity(index, id)).collect();
            lanes(entities).iter().map(Vec::len).collect()
        };
        let repeated = |id: u8, count: usize| std::iter::repeat_n(id, count);
        assert_eq!(lengths((0..250).flat_map(|id| repeated(id, 4)).collect()), [252, 252, 248, 248]);
        assert_eq!(lengths((0..4).flat_map(|_| 0..250).collect()), [252, 252, 248, 248]);
        assert_eq!(lengths((0..6).flat_map(|id| repeated(id, 20)).collect()), [40, 40, 20, 20]);
        assert_eq!(lengths(repeated(7, 45).collect()), [45]);
    }

    proptest! {
        #[test]
        fn the_changes_of_an_entity_are_in_one_lane_in_their_order(ids in prop::collection::vec(any::<u8>(), 0..120)) {
            let lanes = lanes(ids.iter().enumerate().map(|(index, id)| entity(index, *id)).collect());
            prop_assert!(lanes.len() <= LANES);
            prop_assert!(lanes.iter().all(|lane| indices(lane).is_sorted()));
            let mut all: Vec<usize> = lanes.iter().flat_map(|lane| indices(lane)).collect();
            all.sort_unstable();
            prop_assert_eq!(all, (0..ids.len()).collect::<Vec<_>>());
            for (lane, other) in lanes.iter().enumerate().flat_map(|(i, lane)| lanes[..i].iter().map(move |other| (lane, other))) {
                let is_in = |entity: &OutgoingEntity| other.iter().any(|other| ids[other.index] == ids[entity.index]);
                prop_assert!(!lane.iter().any(is_in));
            }
        }
    }
}
