//! The entity before and after a change that the state has already, which are needed if the change comes again.
//!
//! The state keeps the last values and the ones before them, each with the change that set it. The values of the changes that came
//! later are undone, and for the entity before the change its own too.

use std::collections::{BTreeMap, BTreeSet};

use entity_stream_protocol::FormerState;
use serde_json::value::RawValue;

use super::change_time::ChangeTime;
use super::entity_state::{AttributeValueAt, EntityAttribute, EntityState, object};
use super::entity_update::EntityUpdate;
use super::event_mark::EventMark;

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
        let mut members = Vec::with_capacity(self.attributes.len());
        for (name, attribute) in &self.attributes {
            let value = match &attribute.former {
                _ if !is_by(undone, &attribute.value) => &attribute.value,
                Some(former) if !is_by(undone, former) => former,
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

    /// The entity after a recent change. `None`: it was gone. `later` others came after that change.
    ///
    /// If two or more of them have changed an attribute, its value after the change is not kept. Then the change's own value counts, or
    /// the oldest one that is known.
    pub(super) fn after(&self, later: usize, change: &EntityUpdate<'_>) -> Option<Box<RawValue>> {
        let undone = &self.recent[..later];
        let Some(next) = undone.last() else { return self.data() };
        if next.found_nothing() {
            return None;
        }
        let is_late = self.recent[later].is_late();
        // A creation or a deletion that came later has dropped attributes that others had removed before it. A late change may have
        // found them removed.
        let dropped = change.attributes.iter().filter(|_| !is_late).flat_map(BTreeMap::keys);
        let names: BTreeSet<&String> = self.attributes.keys().chain(dropped).collect();
        let value = |name: &String| match self.attributes.get(name) {
            Some(EntityAttribute { value, .. }) if !is_by(undone, value) => value.json.as_deref(),
            // After a creation, or after an hour, an attribute that was removed before looks like one that never was.
            Some(EntityAttribute { former: Some(former), .. })
                if !is_by(undone, former) && (is_late || *former != AttributeValueAt::NONE) =>
            {
                former.json.as_deref()
            }
            known => {
                let oldest = known.map(|known| known.former.as_ref().unwrap_or(&known.value));
                change.given(name, is_late).unwrap_or_else(|| oldest?.json.as_deref())
            }
        };
        Some(object(names.into_iter().filter_map(|name| Some((name.as_str(), value(name)?)))))
    }
}

/// Returns whether one of these changes has set a value.
fn is_by(changes: &[EventMark], value: &AttributeValueAt) -> bool {
    changes.iter().any(|mark| mark.short() == value.by)
}
