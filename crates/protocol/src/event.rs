//! One change of an entity on its way to the clients, and what the service knows about the change.

use serde_json::value::RawValue;

use crate::change_type::ChangeType;
use crate::entity_change::EntityChange;
use crate::entity_states::{EntityStates, FormerState, PresentEntity};
use crate::position::Position;
use crate::revision::Revision;

mod frame;
#[cfg(test)]
mod tests;

/// An entity change with the id and time that EventBridge gave it. The server writes the messages to clients from it.
#[derive(Clone, Debug)]
pub struct Event {
    id: String,
    time: String,
    change: EntityChange,
    position: Option<Position>,
    is_replayed: bool,
    /// The size of the data, if this event is known without it.
    left_out: Option<u64>,
    revision: Option<Revision>,
    states: Option<EntityStates>,
    present: Option<PresentEntity>,
    has_no_state: bool,
    outgrown: Option<OutgrownState>,
    is_snapshot: bool,
}

/// The end of the state of an entity that is too large to be kept.
#[derive(Clone, Debug)]
struct OutgrownState {
    version: u64,
    is_late: bool,
    before: FormerState,
}

impl Event {
    /// An event from its envelope's `id`, its envelope's `time`, which is in RFC 3339, and its `detail`.
    pub fn new(id: impl Into<String>, time: impl Into<String>, change: EntityChange) -> Self {
        Self {
            id: id.into(),
            time: time.into(),
            change,
            position: None,
            is_replayed: false,
            left_out: None,
            revision: None,
            states: None,
            present: None,
            has_no_state: false,
            outgrown: None,
            is_snapshot: false,
        }
    }

    /// The event with its place in the history.
    #[must_use]
    pub fn at(self, position: Position) -> Self {
        Self { position: Some(position), ..self }
    }

    /// The event as it comes from the history: without its data, of this many bytes, if it was too large to be kept.
    #[must_use]
    pub fn replayed(self, left_out: Option<u64>) -> Self {
        Self { is_replayed: true, left_out, ..self }
    }

    /// The event with the effect of its change on the state of the entity.
    #[must_use]
    pub fn revised(self, revision: Option<Revision>) -> Self {
        Self { revision, ..self }
    }

    /// The message that tells a client the current entity. The change has all attributes.
    #[must_use]
    pub fn into_snapshot(self) -> Self {
        Self { is_snapshot: true, ..self }
    }

    /// The time of the bus, in RFC 3339.
    pub fn time(&self) -> &str {
        &self.time
    }

    /// The place of the event in the history, if it has one.
    pub fn position(&self) -> Option<&Position> {
        self.position.as_ref()
    }

    /// Gives the event its place in the history.
    pub fn place(&mut self, position: Position) {
        self.position = Some(position);
    }

    /// The effect of the change on the state of the entity. `None`: it has no state, or none is kept.
    pub fn revision(&self) -> Option<&Revision> {
        self.revision.as_ref()
    }

    /// The entity before the change, if the service keeps states.
    pub(crate) fn former(&self) -> Option<&FormerState> {
        let known = self.states.as_ref().map(|states| &states.before);
        known.or_else(|| self.outgrown.as_ref().map(|outgrown| &outgrown.before))
    }

    /// The entity before and after the change, if that is known.
    pub fn states(&self) -> Option<&EntityStates> {
        self.states.as_ref()
    }

    /// Records the effect of the change on the state of the entity.
    pub fn revise(&mut self, revision: Revision, states: EntityStates) {
        self.revision = Some(revision);
        self.states = Some(states);
        (self.present, self.has_no_state, self.outgrown) = (None, false, None);
    }

    /// Records that the entity has changed again. Views of the whole entity show it as it is now, and are judged by that. Other views
    /// show the change, and are judged by the entity after it.
    pub fn show_present(&mut self, entity: PresentEntity) {
        self.present = Some(entity);
    }

    /// True if views of the whole entity show a later state than the one after the change.
    pub fn shows_present(&self) -> bool {
        self.present.is_some()
    }

    /// The entity that views of the whole entity show, if it is known. `Some(None)`: it is gone.
    pub fn whole_entity(&self) -> Option<Option<&RawValue>> {
        let present = self.present.as_ref().map(|present| present.data.as_deref());
        present.or_else(|| self.states.as_ref().map(|states| states.after.as_deref()))
    }

    /// Records that the entity has no state. The event says so.
    pub fn set_without_state(&mut self) {
        self.revision = None;
        self.states = None;
        (self.present, self.has_no_state, self.outgrown) = (None, true, None);
    }

    /// Records that the entity is too large to be kept after the change, which has this version. The event says so. It is judged by
    /// its data. The entity leaves the subscriptions that it matched before and that the data does not match. If it was too large before,
    /// it has left already, and counts as absent.
    ///
    /// After a late deletion it still exists.
    pub fn outgrow(&mut self, version: u64, is_late: bool, before: FormerState) {
        self.set_without_state();
        self.outgrown = Some(OutgrownState { version, is_late, before });
    }

    /// True if the change is late.
    pub(crate) fn is_late(&self) -> bool {
        let revised = self.revision.as_ref().map(|revision| revision.is_late);
        revised.or_else(|| self.outgrown.as_ref().map(|outgrown| outgrown.is_late)).unwrap_or_default()
    }

    /// True if the entity is too large to be kept, and still exists after this deletion, which is late.
    pub(crate) fn is_outlived(&self) -> bool {
        self.change.change_type == ChangeType::EntityDeleted
            && self.outgrown.as_ref().is_some_and(|state| state.is_late)
    }

    /// True if the entity has no state although the service keeps states.
    pub fn has_no_state(&self) -> bool {
        self.has_no_state
    }

    /// True if the event is known without its data.
    pub fn is_left_out(&self) -> bool {
        self.left_out.is_some()
    }

    /// The event's id. It is the same for every receiver and every redelivery.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The change.
    pub fn change(&self) -> &EntityChange {
        &self.change
    }
}
