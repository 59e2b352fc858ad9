//! Groups candidates into recipients. A recipient receives each of its events once: it is a connection without a group, or
//! a whole consumer group.
//!
//! Invariants: each connection belongs to exactly one recipient. A recipient has exactly one parcel for each event that one
//! of its connections matches, in the order of the batch. The members of a parcel are the connections that match its event.
//! An attempt offers each event to its members one after the other until one accepts it, and nothing more to a member that
//! refuses.
//!
//! The members of a group are ordered by rendezvous hashing of event and connection. Each event has its own order, so the
//! members share the events evenly. If a member leaves, only its share moves to the others.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use entity_stream_connections::{Interest, stable_hash};
use entity_stream_protocol::{ConnectionId, EpochMillis, GroupId};

use crate::candidate::Candidate;
use crate::frames::Bundle;
use crate::messages::Form;
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
    /// The events of the current attempt, in the order of the batch.
    parcels: VecDeque<Parcel>,
    /// The events that all their members refused in this attempt.
    refused: Vec<Parcel>,
}

/// A connection of a recipient.
#[derive(Debug)]
struct Member {
    candidate: Candidate,
    /// Set when the connection can receive nothing more. It then resolves the later events as well.
    ended: Option<Resolution>,
    /// True if the connection refused an event in this attempt. It is then offered no other event.
    refuses: bool,
}

/// One event for a recipient.
#[derive(Debug)]
struct Parcel {
    event: usize,
    /// The members to try, in their order.
    members: VecDeque<MemberTurn>,
}

/// A member that may take an event.
#[derive(Debug)]
struct MemberTurn {
    member: usize,
    /// How many forms of the event it has taken. An event that matches subscriptions with different views has several.
    sent: usize,
}

/// An event, and the connection to try it with.
#[derive(Debug)]
pub(crate) struct Offer<'a> {
    pub(crate) event: usize,
    pub(crate) interest: &'a mut Interest,
    /// The forms in which the connection takes the event, each in a message of its own; at least one.
    pub(crate) forms: Vec<Form>,
    /// How many of them it has taken.
    pub(crate) sent: &'a mut usize,
    /// True if another connection can take the event.
    pub(crate) has_another_member: bool,
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
            for event in &*candidate.events() {
                parcels.entry(*event).or_default().push(member);
            }
        }
        let parcels = parcels.into_iter().map(|(event, mut members)| {
            if members.len() > 1 {
                members.sort_by_cached_key(|member| rank(event_ids[event], &candidates[*member]));
            }
            Parcel { event, members: members.into_iter().map(|member| MemberTurn { member, sent: 0 }).collect() }
        });
        let parcels = parcels.collect();
        let hash = candidates.first().map_or(0, |candidate| candidate.interest.hash());
        let members = candidates.into_iter().map(|candidate| Member { candidate, ended: None, refuses: false });
        let (resolved, reason, refused) = (Vec::new(), String::new(), Vec::new());
        Self { hash, resolved, reason, members: members.collect(), parcels, refused }
    }

    /// Begins an attempt: each event is tried with each of its members again.
    pub(crate) fn begin_attempt(&mut self) {
        self.members.iter_mut().for_each(|member| member.refuses = false);
        self.parcels.extend(self.refused.drain(..));
        self.parcels.make_contiguous().sort_by_key(|parcel| parcel.event);
    }

    /// Returns the event and the connection to try next. `None`: each event is resolved, or all its members refused it in
    /// this attempt. On the way it resolves the events of members that have ended.
    pub(crate) fn next(&mut self, now: EpochMillis) -> Option<Offer<'_>> {
        let has_another_member = loop {
            let Parcel { event, mut members } = self.parcels.pop_front()?;
            members.retain(|turn| match self.members[turn.member].ended {
                Some(resolution) => {
                    self.resolved.push(Resolved { event, resolution, at: now });
                    false
                }
                None => true,
            });
            if members.is_empty() {
                continue;
            }
            match members.iter().position(|turn| !self.members[turn.member].refuses) {
                Some(first) => {
                    members.rotate_left(first);
                    let has_another = members.len() > 1;
                    self.parcels.push_front(Parcel { event, members });
                    break has_another;
                }
                None => self.refused.push(Parcel { event, members }),
            }
        };
        let parcel = self.parcels.front_mut()?;
        let MemberTurn { member, sent } = parcel.members.front_mut()?;
        let candidate = &mut self.members[*member].candidate;
        let forms = candidate.forms(parcel.event);
        Some(Offer { event: parcel.event, interest: &mut candidate.interest, forms, sent, has_another_member })
    }

    /// Returns the messages that a connection takes together: all that it has not taken. `None` if it is in a group, takes no
    /// frames of several events, or is to receive one message only.
    pub(crate) fn bundle(&mut self) -> Option<(&mut Interest, Bundle)> {
        let [member] = self.members.as_mut_slice() else { return None };
        let is_open = member.ended.is_none() && !member.refuses && member.candidate.interest.takes_batches;
        if !is_open || self.parcels.len() < 2 {
            return None;
        }
        let mut bundle = Bundle::new();
        for parcel in &self.parcels {
            let sent = parcel.members.front().map_or(0, |turn| turn.sent);
            let forms = member.candidate.forms(parcel.event).into_iter().skip(sent);
            bundle.extend(forms.map(|form| (parcel.event, form)));
        }
        Some((&mut member.candidate.interest, bundle))
    }

    /// Records that a connection took the next messages of its bundle.
    pub(crate) fn took(&mut self, messages: usize, now: EpochMillis) {
        for _ in 0..messages {
            let Some(offer) = self.next(now) else { return };
            *offer.sent += 1;
            if *offer.sent == offer.forms.len() {
                self.resolve(Resolution::Delivered, now);
            }
        }
    }

    /// Records the result for the connection that [`Recipient::next`] returned. After a delivery the recipient has the event;
    /// after any other result the next member is tried.
    pub(crate) fn resolve(&mut self, resolution: Resolution, now: EpochMillis) {
        let Some(parcel) = self.parcels.front_mut() else { return };
        if let Some(turn) = parcel.members.pop_front()
            && resolution.ends_the_connection()
        {
            self.members[turn.member].ended = Some(resolution);
        }
        let event = parcel.event;
        if resolution == Resolution::Delivered || parcel.members.is_empty() {
            self.parcels.pop_front();
        }
        self.resolved.push(Resolved { event, resolution, at: now });
    }

    /// Records that the connection that [`Recipient::next`] returned does not take the event now. The next member is tried.
    pub(crate) fn refuse(&mut self, reason: String) {
        self.reason = reason;
        if let Some(turn) = self.parcels.front().and_then(|parcel| parcel.members.front()) {
            self.members[turn.member].refuses = true;
        }
    }

    /// Returns whether each event is resolved.
    pub(crate) fn is_done(&self) -> bool {
        self.parcels.is_empty() && self.refused.is_empty()
    }

    /// Returns the events that the recipient has not received, each with the connections that could take it.
    pub(crate) fn unresolved(&self) -> impl Iterator<Item = (usize, impl Iterator<Item = &Interest>)> {
        self.refused.iter().chain(&self.parcels).map(|parcel| {
            (parcel.event, parcel.members.iter().map(|turn| &self.members[turn.member].candidate.interest))
        })
    }

    /// Returns the connections that could take an event that the recipient has not received, each once.
    pub(crate) fn stuck(&self) -> impl Iterator<Item = &Interest> {
        let members: BTreeSet<usize> = self
            .refused
            .iter()
            .chain(&self.parcels)
            .flat_map(|parcel| parcel.members.iter().map(|turn| turn.member))
            .collect();
        members.into_iter().map(|member| &self.members[member].candidate.interest)
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
        candidate.retain(|event| serves(event, hash));
        if candidate.matches.is_empty() {
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

/// Returns one candidate for each connection. A connection occurs several times if its subscriptions have several of the event's
/// scopes, or if they changed during the read.
fn distinct(candidates: Vec<Candidate>) -> Vec<Candidate> {
    let mut indices = HashMap::<ConnectionId, usize>::with_capacity(candidates.len());
    let mut distinct = Vec::<Candidate>::with_capacity(candidates.len());
    for candidate in candidates {
        let next = distinct.len();
        match *indices.entry(candidate.interest.connection_id.clone()).or_insert(next) {
            index if index < next => distinct[index].merge(candidate),
            _ => distinct.push(candidate),
        }
    }
    distinct
}

#[cfg(test)]
mod tests;
