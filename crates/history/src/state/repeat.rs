//! A change that the state has already. Its result is that of the first attempt, as far as the state still knows it.
//!
//! The state keeps the last values and the ones before them, each with the change that set it. To find the entity before a change,
//! the values of that change and of those that came after it are undone.

use entity_stream_protocol::{EntityStates, FormerState};

use super::entity_state::{AttributeValueAt, EntityState, Presence, object};
use super::merge::{Applied, EntityUpdate, Merged, REMOVED_FOR};

impl EntityUpdate<'_> {
    /// The outcome of a change that was applied before. `later` others came after it.
    pub(super) fn repeat(&self, state: EntityState, later: usize) -> Merged {
        let is_late = state.recent[later].is_late();
        let version = state.version - u64::try_from(later).unwrap_or_default();
        let before = self.before(&state, later);
        let outcome = match self.outcome(&state, before, is_late, version) {
            Applied::Known { revision, states } => {
                Applied::Known { revision, states: EntityStates { may_be_repeated: true, ..states } }
            }
            too_large @ Applied::TooLarge => too_large,
        };
        Merged { state, outcome, is_changed: false, is_bounded: false }
    }

    /// The entity before the change.
    fn before(&self, state: &EntityState, later: usize) -> FormerState {
        // A creation or a deletion that came after the change has dropped what the change removed, and so does time.
        let has_dropped = later > 0
            && (state.replaced >= self.at || self.at.0 <= state.newest.0.saturating_sub(REMOVED_FOR));
        if state.presence == Presence::TooLarge || has_dropped {
            return FormerState::Unknown;
        }
        let undone = &state.recent[..=later];
        let is_undone = |value: &AttributeValueAt| undone.iter().any(|mark| mark.short() == value.by);
        let mut members = Vec::with_capacity(state.attributes.len());
        for (name, attribute) in &state.attributes {
            let value = match &attribute.former {
                _ if !is_undone(&attribute.value) => &attribute.value,
                Some(former) if !is_undone(former) => former,
                // It changed twice since.
                _ => return FormerState::Unknown,
            };
            members.extend(value.json.as_deref().map(|json| (name.as_str(), json)));
        }
        if state.recent[later].found_nothing() {
            FormerState::Absent
        } else {
            FormerState::Data(object(members.into_iter()))
        }
    }
}
