use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};

use entity_stream_connections::Interest;
use entity_stream_protocol::{GroupId, stable_hash};

/// Somebody who is to get the event once: a connection, or a consumer group.
pub(crate) struct Unit {
    /// Where it stands in every partition.
    pub(crate) hash: u64,
    /// The connection, or the group's members in the order in which they are to be tried.
    pub(crate) members: Vec<Interest>,
}

impl Unit {
    fn new(members: Vec<Interest>) -> Self {
        Self { hash: members.first().map_or(0, Interest::hash), members }
    }
}

/// The units of a slice of the audience, each connection once: it is met several times if its filter names several of the
/// entity's types, if it named them before it came to want every type, if the types are read twice, or if it changed its
/// filter while they were read. Ask the patterns before: of a filter that was changed, either version is enough.
///
/// A group's members are ordered by rendezvous hashing: each event has its own order, members share evenly, and one that
/// leaves hands just its share to the others.
pub(crate) fn units(interests: Vec<Interest>, event_id: &str) -> Vec<Unit> {
    let mut seen = HashSet::with_capacity(interests.len());
    let mut groups = HashMap::<GroupId, Vec<Interest>>::new();
    let mut units = Vec::with_capacity(interests.len());
    for interest in interests {
        if !seen.insert(interest.connection_id.clone()) {
            continue;
        }
        match &interest.group {
            None => units.push(Unit::new(vec![interest])),
            Some(group) => groups.entry(group.clone()).or_default().push(interest),
        }
    }
    units.extend(groups.into_values().map(|mut members| {
        members.sort_by_cached_key(|member| {
            Reverse(stable_hash(format!("{event_id}#{}", member.connection_id).as_bytes()))
        });
        Unit::new(members)
    }));
    units
}
