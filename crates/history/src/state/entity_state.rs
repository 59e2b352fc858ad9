use std::collections::BTreeMap;

use entity_stream_protocol::{ChangeType, EntityTypes, EpochMillis, PresentEntity};
use serde_json::value::RawValue;

use super::change_time::ChangeTime;
use super::event_mark::EventMark;

/// An entity as last known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntityState {
    /// The id.
    pub entity_id: String,
    /// The `Fiware-ServicePath`.
    pub service_path: String,
    /// The type or types, as last published.
    pub entity_types: EntityTypes,
    /// Grows by one with each change.
    pub version: u64,
    /// The last change that counted.
    pub last: LastChange,
    pub(crate) presence: Presence,
    /// The attributes, those that were removed included.
    pub(crate) attributes: BTreeMap<String, EntityAttribute>,
    /// The time of the newest change.
    pub(crate) newest: ChangeTime,
    /// The newest time of an attribute.
    pub(crate) newest_attribute: ChangeTime,
    /// The time of the last change that the service knows only in part. `None`: all attributes are known.
    pub(crate) unknown_since: Option<ChangeTime>,
    /// The time of the last change that replaced everything: a creation or a deletion.
    pub(crate) replaced: ChangeTime,
    /// The last changes, the newest first.
    pub(crate) recent: Vec<EventMark>,
    /// The time of the last write, in seconds since 1970. An item of an earlier version has none.
    pub(crate) written: Option<u64>,
    /// Until when the entity stands in the index of its types, in seconds since 1970.
    pub(crate) indexed_until: u64,
}

/// The known state of an entity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Presence {
    /// Its attributes.
    Known,
    /// It was deleted.
    Deleted,
    /// It is too large for an item, and its attributes are not kept.
    TooLarge,
}

/// The last change of an entity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastChange {
    /// The id of the event.
    pub event_id: String,
    /// The kind of change.
    pub change_type: ChangeType,
    /// The time of the bus, in RFC 3339.
    pub time: String,
    /// The publisher's time, as it was written.
    pub timestamp: Option<String>,
}

/// An attribute of an entity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EntityAttribute {
    pub(crate) value: AttributeValueAt,
    /// The value before the change that set this one. `None`: it is not known.
    pub(crate) former: Option<AttributeValueAt>,
}

/// A value of an attribute, with the change that set it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AttributeValueAt {
    /// The attribute's own time, or that of the change.
    pub(crate) at: ChangeTime,
    /// The time of the change.
    pub(crate) changed: ChangeTime,
    /// The short mark of the event.
    pub(crate) by: u32,
    /// The JSON, byte for byte as published. `None`: there was no such attribute.
    pub(crate) json: Option<String>,
}

impl AttributeValueAt {
    /// An attribute that the entity has never had.
    pub(crate) const NONE: Self = Self { at: ChangeTime::NEVER, changed: ChangeTime::NEVER, by: 0, json: None };

    /// Returns whether a change has given, or can have given, the attribute this value: the times are the attribute's own and that of
    /// the change.
    pub(crate) fn is_same(&self, (at, changed): (ChangeTime, ChangeTime), json: Option<&str>) -> bool {
        self.at == at && self.json.as_deref() == json && self.changed >= changed
    }
}

impl EntityState {
    /// All attributes, a JSON object. `None` if the entity is deleted, or is too large to be kept.
    pub fn data(&self) -> Option<Box<RawValue>> {
        if self.presence != Presence::Known {
            return None;
        }
        Some(object(
            self.attributes
                .iter()
                .filter_map(|(name, attribute)| Some((name.as_str(), attribute.value.json.as_deref()?))),
        ))
    }

    /// What a view of the whole entity shows.
    pub fn present(&self) -> PresentEntity {
        PresentEntity { data: self.data(), is_partial: self.is_partial() }
    }

    /// The rest of a state whose time is over: its version, so that it keeps growing.
    pub(super) fn forgotten(self) -> Self {
        Self {
            unknown_since: Some(ChangeTime::NEVER),
            presence: Presence::Deleted,
            attributes: BTreeMap::new(),
            newest: ChangeTime::NEVER,
            newest_attribute: ChangeTime::NEVER,
            replaced: ChangeTime::NEVER,
            // Whether the item is still there does not matter for a change that comes again.
            recent: Vec::new(),
            ..self
        }
    }

    /// True if not all attributes may be known.
    pub fn is_partial(&self) -> bool {
        self.unknown_since.is_some()
    }

    /// When the state was written last. `None`: by an earlier version of this software, which did not note the time.
    pub fn written(&self) -> Option<EpochMillis> {
        self.written.map(EpochMillis::from_seconds)
    }

    /// True if the entity was deleted.
    pub fn is_deleted(&self) -> bool {
        self.presence == Presence::Deleted
    }

    /// True if the entity is too large to be kept.
    pub fn is_too_large(&self) -> bool {
        self.presence == Presence::TooLarge
    }

    /// The number of attributes that the entity has.
    pub fn attribute_count(&self) -> usize {
        self.attributes.values().filter(|attribute| attribute.value.json.is_some()).count()
    }
}

/// A JSON object of names and values that are JSON.
pub(crate) fn object<'a>(members: impl Iterator<Item = (&'a str, &'a str)>) -> Box<RawValue> {
    let mut json = String::from("{");
    for (name, value) in members {
        if json.len() > 1 {
            json.push(',');
        }
        json.push_str(&serde_json::Value::from(name).to_string());
        json.push(':');
        json.push_str(value);
    }
    json.push('}');
    #[expect(clippy::expect_used, reason = "every value was read as JSON")]
    RawValue::from_string(json).expect("an object of JSON values is JSON")
}
