//! The effect of a change on the state of its entity. No I/O.
//!
//! **Invariant.** Attributes are merged in order of time: a value is replaced by one that is not older, whatever the order in
//! which changes arrive. Of two that are as old, that of the newer change stays, and of two such changes the last arrival. A removal
//! and what it removes are as old as their changes. A change counts if it alters the state, and then the version grows by one. A change that counted and comes again alters
//! nothing, and has the same version.
//!
//! - A creation replaces everything, and a deletion removes everything, unless they are late.
//! - An update sets the attributes in `data`. An attribute that is named in `changedAttributes` and absent from `data` is
//!   removed, if `data` is not empty: publishers leave `data` empty if it is too large for them.
//! - A change is late if its timestamp is older than that of another one. A late creation sets attributes as an update does. A late
//!   deletion removes what is not newer, and the entity stays. Nothing that is older than the last creation or deletion comes back.
//!
//! An attribute that is removed stays as a removed one, with the time of its removal. Each attribute keeps its value before the
//! last change, so that a repeated change finds the state before it.

use std::collections::BTreeMap;

use entity_stream_protocol::{
    ChangeType, EntityStates, EpochMillis, FormerState, PresentEntity, Revision, micros_of_rfc3339,
};

use super::change_time::ChangeTime;
use super::entity_state::{AttributeValueAt, EntityAttribute, EntityState, Presence, object};
use super::entity_update::EntityUpdate;
use super::event_mark::RECENT;
use super::former_state::REMOVED_FOR;

/// The place of a change among those that the state has.
#[derive(Clone, Copy, Debug)]
struct MergeOrder {
    is_late: bool,
    /// True if it counts as older than a change of the same time.
    loses_ties: bool,
    /// True if the state may have had it, and has forgotten so.
    may_be_forgotten: bool,
}

/// The result of a change.
#[derive(Debug)]
pub(crate) struct Merged {
    /// The state after it.
    pub(crate) state: EntityState,
    pub(crate) outcome: Applied,
    /// False if the state is as it was, so that nothing has to be written.
    pub(crate) is_changed: bool,
    /// True if the state lacks something because an item would be too large with it.
    pub(crate) is_bounded: bool,
}

/// The effect of a change on the state of its entity.
#[derive(Clone, Debug)]
pub enum Applied {
    /// The state has the change.
    Known {
        /// The version after it, and the changes.
        revision: Revision,
        /// The entity before and after it.
        states: EntityStates,
        /// The entity as it is now, if it has changed again since.
        present: Option<PresentEntity>,
    },
    /// The entity is too large to be kept.
    TooLarge {
        /// The version after the change.
        version: u64,
        /// True if the change is late.
        is_late: bool,
        /// The entity before it.
        before: FormerState,
    },
}

impl EntityUpdate<'_> {
    /// Merges the change into a state. `None`: the entity is not known. The first version of an entity is the present time in
    /// milliseconds, so that it keeps growing if the entity was forgotten.
    pub(crate) fn merge(&self, former: Option<EntityState>, now: EpochMillis) -> Merged {
        let repeated =
            former.as_ref().and_then(|state| state.recent.iter().position(|mark| mark.is_same_event(self.mark)));
        match (former, repeated) {
            (Some(state), Some(later)) => self.repeat(state, later),
            (former, _) => self.apply(former, now),
        }
    }

    fn apply(&self, former: Option<EntityState>, now: EpochMillis) -> Merged {
        let before = match &former {
            None => FormerState::Absent,
            Some(state) => match (state.presence, state.data()) {
                (Presence::Known, Some(data)) => FormerState::Data(data),
                (Presence::Deleted, _) => FormerState::Absent,
                _ => FormerState::Unknown,
            },
        };
        let mut state = former.clone().unwrap_or_else(|| self.unknown_entity(now));
        let order = self.order(&state);
        let is_late = order.is_late;
        let mut is_bounded = false;
        let mut is_changed = match (self.change_type(), is_late) {
            (ChangeType::EntityUpdated, _) | (ChangeType::EntityCreated, true) => {
                self.set_attributes(&mut state, order)
            }
            (ChangeType::EntityCreated, false) => {
                self.clear(&mut state, None);
                state.presence = Presence::Known;
                self.set_attributes(&mut state, order);
                (state.unknown_since, state.replaced) = (self.is_truncated().then_some(self.at), self.at);
                true
            }
            (ChangeType::EntityDeleted, false) => {
                self.clear(&mut state, None);
                (state.presence, state.unknown_since, state.replaced) = (Presence::Deleted, None, self.at);
                true
            }
            (ChangeType::EntityDeleted, true) => self.delete_late(&mut state, order.loses_ties),
        };
        if !is_late {
            state.newest = self.at;
            state.entity_types = self.event.change().entity_types.clone();
            is_changed = true;
        }
        if is_changed {
            state.last = self.last();
            state.written = Some(now.seconds());
            state.version += 1;
            let forgotten = self.at.0.saturating_sub(REMOVED_FOR);
            state.attributes.retain(|_, attribute| attribute.value.json.is_some() || attribute.value.at.0 > forgotten);
            is_bounded = state.bound();
        }
        // The entity left when it became too large. It does not leave again with each change.
        let stays_too_large = state.is_too_large() && former.as_ref().is_some_and(EntityState::is_too_large);
        let before = if stays_too_large { FormerState::Absent } else { before };
        if is_changed {
            // The mark tells if there was a state, so that the next repetition, which recognises this one, knows it.
            state.recent.insert(0, self.mark.with(is_late, matches!(before, FormerState::Absent)));
            state.recent.truncate(RECENT);
        } else if let Some(former) = former {
            state = former;
        }
        let before = if order.may_be_forgotten { FormerState::Unknown } else { before };
        let outcome = self.outcome(&state, before, is_late, state.version);
        Merged { state, outcome, is_changed, is_bounded }
    }

    /// The place of a change that the state does not recognise.
    ///
    /// A repetition that is forgotten is not newer than the newest change, and the state remembers as many changes as it can. It does
    /// not win over a change of the same time. A change that came to the bus before the last one does not either.
    fn order(&self, state: &EntityState) -> MergeOrder {
        let came_before = micros_of_rfc3339(self.event.time()) < micros_of_rfc3339(&state.last.time);
        let may_be_forgotten = self.may_be_repeated && state.recent.len() >= RECENT && self.at <= state.newest;
        let loses_ties = may_be_forgotten || (self.may_be_repeated && came_before);
        let is_late = self.at < state.newest || (loses_ties && self.at == state.newest);
        MergeOrder { is_late, loses_ties, may_be_forgotten }
    }

    /// The state of an entity before its first change is merged. Unless that is a creation, the entity can have more attributes.
    fn unknown_entity(&self, now: EpochMillis) -> EntityState {
        let change = self.event.change();
        EntityState {
            entity_id: change.entity_id.clone(),
            service_path: change.service_path.clone(),
            entity_types: change.entity_types.clone(),
            version: now.millis(),
            unknown_since: Some(ChangeTime::NEVER),
            last: self.last(),
            presence: Presence::Known,
            attributes: BTreeMap::new(),
            newest: ChangeTime::NEVER,
            newest_attribute: ChangeTime::NEVER,
            replaced: ChangeTime::NEVER,
            recent: Vec::new(),
            written: None,
            indexed_until: 0,
        }
    }

    /// Sets the attributes of an update or a creation, and removes those that an update removes. Returns whether anything changed.
    fn set_attributes(&self, state: &mut EntityState, order: MergeOrder) -> bool {
        let is_late = order.is_late;
        match state.presence {
            Presence::Known => {}
            Presence::TooLarge => return false,
            // A late change does not bring an entity back.
            Presence::Deleted if is_late => return false,
            Presence::Deleted => (state.presence, state.unknown_since) = (Presence::Known, Some(state.replaced)),
        }
        let mut is_changed = false;
        for (name, (json, at)) in self.attributes.iter().flatten() {
            is_changed |= self.set(state, name, (Some(json), *at), order);
        }
        if self.change_type() == ChangeType::EntityUpdated {
            for name in self.removed() {
                is_changed |= self.set(state, name, (None, self.at), order);
            }
        }
        let is_whole = self.change_type() == ChangeType::EntityCreated && !self.is_truncated();
        if self.is_truncated() && self.at >= state.replaced && state.unknown_since.is_none_or(|since| since < self.at) {
            (state.unknown_since, is_changed) = (Some(self.at), true);
        } else if is_late
            && is_whole
            && self.at >= state.replaced
            && state.unknown_since.is_some_and(|since| since <= self.at)
        {
            // The creation that was missing.
            (state.unknown_since, state.replaced, is_changed) = (None, self.at, true);
        }
        is_changed
    }

    /// Sets or removes an attribute, unless a newer value is known. Returns whether that changed anything.
    fn set(
        &self,
        state: &mut EntityState,
        name: &str,
        (json, at): (Option<&str>, ChangeTime),
        order: MergeOrder,
    ) -> bool {
        let known = state.attributes.remove(name);
        let is_newer = match &known {
            // What is older than a creation or a deletion was replaced.
            _ if self.at < state.replaced => false,
            // Perhaps a repetition that is not recognised any more.
            Some(EntityAttribute { value, .. }) if order.is_late && value.is_same((at, self.at), json) => false,
            Some(EntityAttribute { value, .. }) if value.json.is_some() => {
                // An attribute keeps its own time in later changes, so the times of the changes decide then. A removal has no other.
                let (known, new) = match json {
                    Some(_) => ((value.at, value.changed), (at, self.at)),
                    None => ((value.changed, value.changed), (self.at, self.at)),
                };
                // A change that is not late was never applied: its first attempt would have made it late.
                new > known || (new == known && !(order.is_late && order.loses_ties))
            }
            // An attribute that was removed comes back with a later change, however old its own time is.
            Some(EntityAttribute { value, .. }) => {
                self.at > value.at || (self.at == value.at && !(order.is_late && order.loses_ties))
            }
            None => true,
        };
        if !is_newer {
            state.attributes.extend(known.map(|known| (name.to_owned(), known)));
            return false;
        }
        let value = AttributeValueAt { at, changed: self.at, by: self.mark.short(), json: json.map(str::to_owned) };
        let former = match known {
            // A creation has removed it before.
            Some(EntityAttribute { value, former }) if value.by == self.mark.short() => former,
            Some(EntityAttribute { value, .. }) => Some(value),
            None => Some(AttributeValueAt::NONE),
        };
        state.attributes.insert(name.to_owned(), EntityAttribute { value, former });
        state.newest_attribute = state.newest_attribute.max(at);
        true
    }

    /// Removes all that is not newer than a late deletion. Returns true if that changed anything.
    fn delete_late(&self, state: &mut EntityState, loses_ties: bool) -> bool {
        let until = if loses_ties { self.at.before() } else { self.at };
        if state.presence != Presence::Known || until < state.replaced {
            return false;
        }
        let has_removed = self.clear(state, Some(until));
        // The creation after it is missing.
        let (replaced, unknown_since) = (self.at, state.unknown_since.max(Some(self.at)));
        let is_changed = has_removed || (replaced, unknown_since) != (state.replaced, state.unknown_since);
        (state.replaced, state.unknown_since) = (replaced, unknown_since);
        is_changed
    }

    /// Removes all attributes, or those that no change since a time has set. Returns whether there were any.
    fn clear(&self, state: &mut EntityState, until: Option<ChangeTime>) -> bool {
        let mut has_removed = false;
        state.attributes.retain(|_, EntityAttribute { value, former }| {
            if until.is_some_and(|until| value.changed > until) {
                return true;
            }
            if value.json.is_none() && until.is_none() {
                return false;
            }
            if value.json.is_some() {
                let removed = AttributeValueAt { at: self.at, changed: self.at, by: self.mark.short(), json: None };
                *former = Some(std::mem::replace(value, removed));
                has_removed = true;
            }
            true
        });
        has_removed
    }

    /// The outcome of a change that was applied before. `later` others came after it.
    fn repeat(&self, state: EntityState, later: usize) -> Merged {
        let is_late = state.recent[later].is_late();
        let version = state.version - u64::try_from(later).unwrap_or_default();
        let before = state.before(later, self.at);
        let outcome = match self.outcome(&state, before, is_late, version) {
            Applied::Known { revision, states, .. } => {
                let states = EntityStates { after: state.after(later, self), may_be_repeated: true, ..states };
                Applied::Known { revision, states, present: (later > 0).then(|| state.present()) }
            }
            too_large @ Applied::TooLarge { .. } => too_large,
        };
        Merged { state, outcome, is_changed: false, is_bounded: false }
    }

    fn outcome(&self, state: &EntityState, before: FormerState, is_late: bool, version: u64) -> Applied {
        if state.presence == Presence::TooLarge {
            return Applied::TooLarge { version, is_late, before };
        }
        let mark = self.mark.short();
        let changed =
            state.attributes.iter().filter(|(name, attribute)| attribute.value.by == mark && self.changes(name));
        let former = |(name, attribute): (&'_ String, &'_ EntityAttribute)| -> Option<(String, String)> {
            Some((name.clone(), attribute.former.as_ref()?.json.clone()?))
        };
        let former: Vec<_> = changed.filter_map(former).collect();
        let has_previous = self.change_type() == ChangeType::EntityUpdated && !former.is_empty();
        let previous = has_previous.then(|| object(former.iter().map(|(name, json)| (name.as_str(), json.as_str()))));
        let revision = Revision { version, is_late, is_partial: state.is_partial(), previous };
        let states = EntityStates { before, after: state.data(), may_be_repeated: self.may_be_repeated };
        Applied::Known { revision, states, present: None }
    }
}
