//! Groups candidates into recipients. A recipient receives each of its events once: it is a connection without a group, or
//! a whole consumer group.
//!
//! Invariant: each connection belongs to exactly one recipient. A recipient has exactly one parcel for each event that one
//! of its connections matches, in the order of the batch. The members of a parcel are the connections that match its event.
//!
//! The members of a group are ordered by rendezvous hashing of event and connection. Each event has its own order, so the
//! members share the events evenly. If a member leaves, only its share moves to the others.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use entity_stream_connections::{Interest, stable_hash};
use entity_stream_protocol::{ConnectionId, EpochMillis, GroupId};

use crate::candidate::Candidate;
use crate::resolution::Resolution;

/// A connection or a consumer group, with the events that it still has to receive.
#[derive(Debug)]
pub(crate) struct Recipient {
    /// The position in every partition.
    pub(crate) hash: u64,
    /// The results of the events so far.
    pub(crate) resolved: Vec<Resolved>,
    /// The reason why the last attempt did not finish.
    pub(crate) reason: String,
    members: Vec<Member>,
    parcels: VecDeque<Parcel>,
}

/// A connection of a recipient.
#[derive(Debug)]
struct Member {
    interest: Interest,
    /// Set when the connection can receive nothing more. It then resolves the later events as well.
    ended: Option<Resolution>,
}

/// One event for a recipient.
#[derive(Debug)]
struct Parcel {
    event: usize,
    /// The members to try, in their order.
    members: VecDeque<usize>,
}

/// The result of one event for one connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Resolved {
    pub(crate) event: usize,
    pub(crate) resolution: Resolution,
    pub(crate) at: EpochMillis,
}

impl Recipient {
    fn new(candidates: Vec<Candidate>, event_ids: &[&str]) -> Self {
        let mut parcels = BTreeMap::<usize, Vec<usize>>::new();
        for (member, candidate) in candidates.iter().enumerate() {
            for event in &*candidate.events {
                parcels.entry(*event).or_default().push(member);
            }
        }
        let parcels = parcels.into_iter().map(|(event, mut members)| {
            if members.len() > 1 {
                members.sort_by_cached_key(|member| rank(event_ids[event], &candidates[*member]));
            }
            Parcel { event, members: members.into() }
        });
        let parcels = parcels.collect();
        let hash = candidates.first().map_or(0, |candidate| candidate.interest.hash());
        let members = candidates.into_iter().map(|Candidate { interest, .. }| Member { interest, ended: None });
        Self { hash, resolved: Vec::new(), reason: String::new(), members: members.collect(), parcels }
    }

    /// Returns the event and the connection to try next. `None`: each event is resolved. On the way it resolves the events
    /// of members that have ended.
    pub(crate) fn next(&mut self, now: EpochMillis) -> Option<(usize, &mut Interest)> {
        let (event, member) = loop {
            let parcel = self.parcels.front_mut()?;
            let Some(member) = parcel.members.front() else {
                self.parcels.pop_front();
                continue;
            };
            let Some(ended) = &self.members[*member].ended else { break (parcel.event, *member) };
            self.resolved.push(Resolved { event: parcel.event, resolution: *ended, at: now });
            parcel.members.pop_front();
        };
        Some((event, &mut self.members[member].interest))
    }

    /// Records the result for the connection that [`Recipient::next`] returned. After a delivery the recipient has the event;
    /// after any other result the next member is tried.
    pub(crate) fn resolve(&mut self, resolution: Resolution, now: EpochMillis) {
        let Some(parcel) = self.parcels.front_mut() else { return };
        if let Some(member) = parcel.members.pop_front()
            && resolution.ends_the_connection()
        {
            self.members[member].ended = Some(resolution);
        }
        let event = parcel.event;
        if resolution == Resolution::Delivered {
            self.parcels.pop_front();
        }
        self.resolved.push(Resolved { event, resolution, at: now });
    }

    /// Returns the events that the recipient has not received, each with the connection that would be tried next.
    pub(crate) fn unresolved(&self) -> impl Iterator<Item = (usize, &ConnectionId)> {
        self.parcels.iter().filter_map(|parcel| {
            let member = &self.members[*parcel.members.front()?];
            Some((parcel.event, &member.interest.connection_id))
        })
    }
}

fn rank(event_id: &str, member: &Candidate) -> Reverse<u64> {
    Reverse(stable_hash(format!("{event_id}#{}", member.interest.connection_id).as_bytes()))
}

/// Groups the candidates of a slice, or of several. `serves` tells whether the invocation serves an event at a hash;
/// `event_ids` has an entry for each event of the batch.
pub(crate) fn recipients(
    candidates: Vec<Candidate>,
    serves: impl Fn(usize, u64) -> bool,
    event_ids: &[&str],
) -> Vec<Recipient> {
    let mut groups = HashMap::<(GroupId, u64), Vec<Candidate>>::new();
    let mut recipients = Vec::with_capacity(candidates.len());
    for mut candidate in distinct(candidates) {
        let hash = candidate.interest.hash();
        if !candidate.events.iter().all(|event| serves(*event, hash)) {
            candidate.events = candidate.events.iter().copied().filter(|event| serves(*event, hash)).collect();
        }
        if candidate.events.is_empty() {
            continue;
        }
        match &candidate.interest.group {
            None => recipients.push(Recipient::new(vec![candidate], event_ids)),
            Some(group) => groups.entry((group.clone(), hash)).or_default().push(candidate),
        }
    }
    recipients.extend(groups.into_values().map(|members| Recipient::new(members, event_ids)));
    recipients
}

/// Returns one candidate for each connection. A connection occurs several times if its filter names several of the entity's
/// types, if it named them before it wanted all types, if the types are read twice, or if its filter changed during the
/// read. Then either version of the filter is enough for an event.
fn distinct(candidates: Vec<Candidate>) -> Vec<Candidate> {
    let mut indices = HashMap::<ConnectionId, usize>::with_capacity(candidates.len());
    let mut distinct = Vec::<Candidate>::with_capacity(candidates.len());
    for candidate in candidates {
        let next = distinct.len();
        match *indices.entry(candidate.interest.connection_id.clone()).or_insert(next) {
            index if index < next => distinct[index].events = union(&distinct[index].events, &candidate.events),
            _ => distinct.push(candidate),
        }
    }
    distinct
}

fn union(some: &Arc<[usize]>, others: &Arc<[usize]>) -> Arc<[usize]> {
    if some == others {
        return Arc::clone(some);
    }
    let mut union = [&**some, &**others].concat();
    union.sort_unstable();
    union.dedup();
    union.into()
}

#[cfg(test)]
mod tests;
