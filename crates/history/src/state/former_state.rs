//! The entity before a change that the state has already, which is needed if the change comes again.
//!
//! The state keeps the last values and the ones before them, each with the change that set it. The values of the change and of those
//! that came after it are undone.

use entity_stream_protocol::FormerState;

use super::change_time::ChangeTime;
use super::entity_state::{AttributeValueAt, EntityState, object};

/// The time after which a removed attribute is forgotten. An older change could bring it back then.
pub(super) const REMOVED_FOR: i64 = 60 * 60 * 1_000_000;

impl EntityState {
    /// The entity before a recent change, which has this time. `later` others came after it.
    pub(super) fn before(&self, later: usize, at: ChangeTime) -> FormerState {
        if self.is_too_large() {
            // Nothing is kept but whether there was an entity that had not left yet.
            let found_nothing = self.recent[later].found_nothing();
            return if found_nothing { FormerState::Absent } else { FormerState::Unknown };
        }
        // A creation or a deletion that came later has dropped attributes that the change removed, and so does time.
        let may_have_dropped = later > 0 && (self.replaced >= at || at.0 <= self.newest.0.saturating_sub(REMOVED_FOR));
        if may_have_dropped {
            return FormerState::Unknown;
        }
        let undone = &self.recent[..=later];
        let is_undone = |value: &AttributeValueAt| undone.iter().any(|mark| mark.short() == value.by);
        let mut members = Vec::with_capacity(self.attributes.len());
        for (name, attribute) in &self.attributes {
            let value = match &attribute.former {
                _ if !is_undone(&attribute.value) => &attribute.value,
                Some(former) if !is_undone(former) => former,
                // The value before both is not kept.
                _ => return FormerState::Unknown,
            };
            members.extend(value.json.as_deref().map(|json| (name.as_str(), json)));
        }
        if undone.last().is_some_and(|mark| mark.found_nothing()) {
            FormerState::Absent
        } else {
            FormerState::Data(object(members.into_iter()))
        }
    }
}
