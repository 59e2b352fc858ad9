use entity_stream_protocol::EventMessage;
use serde_json::value::RawValue;

use super::loaded_view::is_left_out;
use super::members::EntityMembers;

/// A part of an entity: the attributes that messages have changed, one message after the other.
#[derive(Debug, Default)]
pub(super) struct EntityPart {
    /// The value of each attribute. `None` for one that was removed.
    attributes: Vec<(String, Option<Box<RawValue>>)>,
    /// True if a message did not have what it changed.
    lacks_something: bool,
}

impl EntityPart {
    /// The part that a message has. A changed attribute without a value was removed, unless the message has no values.
    pub(super) fn of(message: &EventMessage<'_>) -> Self {
        let is_left_out = is_left_out(message);
        let mut part = Self { attributes: Vec::new(), lacks_something: message.partial || is_left_out };
        let Some(data) = message.data.as_deref().filter(|_| !is_left_out) else { return part };
        let changed = EntityMembers::of(data).0;
        if !changed.is_empty() {
            for name in message.changed_attributes.as_deref().unwrap_or_default() {
                part.set(name.clone(), None);
            }
        }
        for (name, value) in changed {
            part.set(name, Some(value.to_owned()));
        }
        part
    }

    /// The part of an entity with these attributes, also those that it does not have.
    pub(super) fn of_data<'a>(data: &RawValue, names: impl Iterator<Item = &'a str>) -> Self {
        let members = EntityMembers::of(data).0;
        let value =
            |name: &str| members.iter().rev().find(|(other, _)| other == name).map(|(_, value)| (*value).to_owned());
        Self { attributes: names.map(|name| (name.to_owned(), value(name))).collect(), lacks_something: false }
    }

    /// Takes the part that the next message has.
    pub(super) fn extend(&mut self, next: Self) {
        self.lacks_something |= next.lacks_something;
        for (name, value) in next.attributes {
            self.set(name, value);
        }
    }

    /// Keeps the attributes with these names.
    pub(super) fn retain(&mut self, mut keeps: impl FnMut(&str) -> bool) {
        self.attributes.retain(|(name, _)| keeps(name));
    }

    fn set(&mut self, name: String, value: Option<Box<RawValue>>) {
        match self.attributes.iter_mut().find(|(other, _)| *other == name) {
            Some((_, former)) => *former = value,
            None => self.attributes.push((name, value)),
        }
    }

    /// The data of the entity with this part.
    pub(super) fn merged_into(&self, data: &RawValue) -> Box<RawValue> {
        if self.attributes.is_empty() {
            return data.to_owned();
        }
        let mut members = EntityMembers::of(data);
        for (name, value) in &self.attributes {
            match value {
                Some(value) => members.set(name.clone(), value),
                None => members.0.retain(|(other, _)| other != name),
            }
        }
        members.to_object().unwrap_or_else(|| data.to_owned())
    }

    /// True if there may be more changes than this part has.
    pub(super) fn lacks_something(&self) -> bool {
        self.lacks_something
    }
}
