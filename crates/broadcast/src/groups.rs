use std::collections::HashMap;

use entity_stream_connections::Interest;
use entity_stream_protocol::{GroupId, stable_hash};

/// The members of consumer groups whose filter matches, held back until the whole audience is known.
#[derive(Default)]
pub(crate) struct Groups(HashMap<GroupId, Vec<Interest>>);

impl Groups {
    /// Keeps a group's member back, and returns an interest that belongs to no group.
    pub(crate) fn keep_back(&mut self, interest: Interest) -> Option<Interest> {
        match &interest.group {
            None => Some(interest),
            Some(group) => {
                self.0.entry(group.clone()).or_default().push(interest);
                None
            }
        }
    }

    /// Each group's members in the order in which they are to be tried for this event. Rendezvous hashing: each event
    /// has its own order, members share evenly, and one that leaves hands just its share to the others.
    pub(crate) fn into_members(self, event_id: &str) -> impl Iterator<Item = Vec<Interest>> {
        let event_id = event_id.to_owned();
        self.0.into_values().map(move |mut members| {
            members.sort_by_cached_key(|member| {
                std::cmp::Reverse(stable_hash(format!("{event_id}#{}", member.connection_id).as_bytes()))
            });
            members
        })
    }
}
