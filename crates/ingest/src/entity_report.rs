use std::borrow::Cow;

use entity_stream_protocol::{ChangeType, EntityTypes, JsonMembers, json_object, json_text};
use serde_json::value::RawValue;

use crate::refused_entity::EntityFault;

/// An entity of a notification, in the terms of a change. Names and values are JSON, byte for byte as the broker wrote them.
#[derive(Debug)]
pub(crate) struct EntityReport<'a> {
    /// The kind of change, if the entity tells it for certain.
    pub(crate) change_type: Option<ChangeType>,
    /// True if the entity's times suggest that it is new.
    pub(crate) looks_new: bool,
    pub(crate) id: String,
    pub(crate) types: EntityTypes,
    pub(crate) attributes: Vec<(&'a str, Cow<'a, str>)>,
    /// The names of the attributes that changed, if the entity tells them.
    pub(crate) changed: Option<Vec<String>>,
    /// The time of the deletion, if the entity tells it.
    pub(crate) deleted_at: Option<Cow<'a, str>>,
    /// The time of the last change, if the entity tells it.
    pub(crate) timestamp: Option<Cow<'a, str>>,
    /// A time that is worth less than that of the notification.
    pub(crate) observed: Option<Cow<'a, str>>,
    pub(crate) service_path: Option<String>,
    pub(crate) context: Option<&'a RawValue>,
}

impl EntityReport<'_> {
    /// The attributes, a JSON object.
    pub(crate) fn data(&self) -> String {
        json_object(self.attributes.iter().map(|(name, value)| (*name, value.as_ref())))
    }
}

/// The members of an entity.
pub(crate) fn members(entity: &RawValue) -> Result<Vec<(&RawValue, &RawValue)>, EntityFault> {
    JsonMembers::read(entity).map(|members| members.0).ok_or(EntityFault::NotAnObject)
}

/// The id of an entity, so far as it can be read.
pub(crate) fn id_of(entity: &RawValue) -> Option<String> {
    let members = JsonMembers::read(entity)?;
    let [id, json_ld] = members.values(["id", "@id"]);
    json_text(id.or(json_ld)?).map(Cow::into_owned)
}

/// Reads the type or the types.
pub(crate) fn types(value: Option<&RawValue>) -> Result<EntityTypes, EntityFault> {
    serde_json::from_str(value.ok_or(EntityFault::NoType)?.get()).map_err(|_| EntityFault::Type)
}

/// Reads the id.
pub(crate) fn id(value: Option<&RawValue>) -> Result<String, EntityFault> {
    json_text(value.ok_or(EntityFault::NoId)?).map(Cow::into_owned).ok_or(EntityFault::NoId)
}
