use entity_stream_protocol::{EventMessage, EventType};
use serde_json::value::RawValue;

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
    /// The part that a message has.
    pub(super) fn of(message: &EventMessage<'_>) -> Self {
        let mut part = Self::default();
        part.take(message);
        part
    }

    /// Takes the next message. A changed attribute without a value was removed, unless the message has no values.
    pub(super) fn take(&mut self, message: &EventMessage<'_>) {
        self.lacks_something |= message.partial || is_left_out(message);
        let Some(data) = message.data.as_deref().filter(|_| !is_left_out(message)) else { return };
        let changed = EntityMembers::of(data).0;
        if !changed.is_empty() {
            for name in message.changed_attributes.as_deref().unwrap_or_default() {
                self.set(name.clone(), None);
            }
        }
        for (name, value) in changed {
            self.set(name, Some(value.to_owned()));
        }
    }

    fn set(&mut self, name: String, value: Option<Box<RawValue>>) {
        match self.attributes.iter_mut().find(|(other, _)| *other == name) {
            Some((_, former)) => *former = value,
            None => self.attributes.push((name, value)),
        }
    }

    /// The data of the entity with this part.
    pub(super) fn merged_into(&self, data: &RawValue) -> Box<RawValue> {
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

/// True if a message has the whole entity. With `merges`, only a creation has: other events have the attributes that were published.
pub(super) fn is_whole(message: &EventMessage<'_>, merges: bool) -> bool {
    let has_state = message.version.is_some() && !merges;
    !is_left_out(message) && (has_state || message.event_type == EventType::EntityCreated)
}

/// True if the attributes are not in the message.
pub(super) fn is_left_out(message: &EventMessage<'_>) -> bool {
    message.truncated || message.data.is_none()
}
