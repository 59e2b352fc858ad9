use std::collections::BTreeMap;

use entity_stream_protocol::{ChangeType, EpochMillis, Event, is_attribute};
use serde_json::value::RawValue;

use super::change_time::ChangeTime;
use super::entity_state::LastChange;
use super::event_mark::EventMark;

/// The longest name of an attribute, in bytes. DynamoDB's limit is 64 KB.
const NAME_BYTES: usize = 60_000;

/// A change as the state sees it.
#[derive(Debug)]
pub(super) struct EntityUpdate<'a> {
    pub(super) event: &'a Event,
    pub(super) mark: EventMark,
    pub(super) at: ChangeTime,
    /// True if this may be a repetition: a continuation, or an event that came to the bus a while ago.
    pub(super) may_be_repeated: bool,
    /// The attributes that it sets, each with its JSON and its time. `None`: the data cannot be read.
    pub(super) attributes: Option<BTreeMap<String, (&'a str, ChangeTime)>>,
}

impl<'a> EntityUpdate<'a> {
    /// The change of an event that arrived at the bus at this time.
    pub(super) fn new(event: &'a Event, arrival: EpochMillis, may_be_repeated: bool) -> Self {
        let change = event.change();
        let at = ChangeTime::of_change(change, arrival);
        let members: Option<BTreeMap<String, &RawValue>> = serde_json::from_str(change.data.get()).ok();
        let members = members.filter(|members| members.keys().all(|name| name.len() <= NAME_BYTES));
        let timed = |(name, json): (String, &'a RawValue)| {
            let json = json.get();
            (name, (json, ChangeTime::of_attribute(json, at, arrival)))
        };
        let attributes = members.map(|members| members.into_iter().map(timed).collect());
        Self { event, mark: EventMark::of(event.id()), at, may_be_repeated, attributes }
    }

    pub(super) fn change_type(&self) -> ChangeType {
        self.event.change().change_type
    }

    /// The names of the attributes that the change removes.
    pub(super) fn removed(&self) -> impl Iterator<Item = &'a str> {
        let has_data = self.attributes.as_ref().is_some_and(|attributes| !attributes.is_empty());
        let named = self.event.change().changed_attributes.as_deref().filter(|_| has_data).unwrap_or_default();
        named.iter().map(String::as_str).filter(|name| !self.sets(name))
    }

    pub(super) fn sets(&self, name: &str) -> bool {
        self.attributes.as_ref().is_some_and(|attributes| attributes.contains_key(name))
    }

    /// The value that the change gives an attribute, unless a newer one is known. `Some(None)`: it removes the attribute. `None`: it
    /// leaves the attribute as it is.
    pub(super) fn given(&self, name: &str, is_late: bool) -> Option<Option<&'a str>> {
        let set = || self.attributes.as_ref().and_then(|attributes| attributes.get(name)).map(|(json, _)| Some(*json));
        match self.change_type() {
            ChangeType::EntityDeleted => (!is_late).then_some(None),
            ChangeType::EntityCreated if is_late => set(),
            ChangeType::EntityCreated => Some(set().flatten()),
            ChangeType::EntityUpdated => set().or_else(|| self.removed().any(|each| each == name).then_some(None)),
        }
    }

    /// True if the service does not learn all that changed.
    pub(super) fn is_truncated(&self) -> bool {
        let change = self.event.change();
        let names_changes = change.changed_attributes.as_ref().is_some_and(|names| !names.is_empty());
        match (&self.attributes, self.change_type()) {
            (_, ChangeType::EntityDeleted) => false,
            (None, _) => true,
            (Some(attributes), ChangeType::EntityCreated) => attributes.is_empty(),
            (Some(attributes), ChangeType::EntityUpdated) => attributes.is_empty() && names_changes,
        }
    }

    /// Returns whether the change names this attribute as changed or, if it names none, carries it.
    pub(super) fn changes(&self, name: &str) -> bool {
        match &self.event.change().changed_attributes {
            Some(names) => names.iter().any(|each| each == name),
            None => self.sets(name) && is_attribute(name),
        }
    }

    pub(super) fn last(&self) -> LastChange {
        LastChange {
            event_id: self.event.id().to_owned(),
            change_type: self.change_type(),
            time: self.event.time().to_owned(),
            timestamp: self.event.change().timestamp.clone(),
        }
    }
}
