use entity_stream_protocol::{EntityTypes, EventMessage, Tenant};
use serde_json::value::RawValue;

use super::attribute_versions::AttributeVersions;
use super::entity_part::EntityPart;
use super::loaded_entity::LoadedEntity;
use super::loaded_view::{has_state, is_creation, is_left_out};
use super::members::EntityMembers;

/// An entity as the client last knew it.
#[derive(Clone, Debug)]
pub struct Entity {
    tenant: String,
    service_path: String,
    id: String,
    types: EntityTypes,
    data: Box<RawValue>,
    version: Option<u64>,
    timestamp: String,
    is_partial: bool,
}

impl Entity {
    /// The entity of a message that shows it: a snapshot, or an event of a subscription with
    /// [`wholeEntity`](crate::View::with_state). Any other event has only a part of the entity.
    pub fn of(message: &EventMessage<'_>) -> Self {
        Self::after(None, message)
    }

    /// The entity after a message that shows it or a change of it. A message with a version has all of it.
    pub(super) fn after(before: Option<&Self>, message: &EventMessage<'_>) -> Self {
        let left_out = is_left_out(message);
        let (data, is_partial) = match (before, message.data.as_deref()) {
            (_, Some(data)) if has_state(message) || is_creation(message) => (data.to_owned(), message.partial),
            // The message has only a part of the entity, or nothing of it.
            (Some(before), Some(_)) if !left_out => {
                (EntityPart::of(message).merged_into(&before.data), before.is_partial)
            }
            (Some(before), _) => (before.data.clone(), true),
            (None, Some(data)) if !left_out => (data.to_owned(), true),
            (None, _) => (empty(), true),
        };
        Self::with_data(before, message, data, is_partial || message.partial)
    }

    /// The entity after a message that has all of it. The attributes of later messages stay.
    pub(super) fn replaced(
        before: Option<&Self>,
        message: &EventMessage<'_>,
        versions: &mut AttributeVersions,
    ) -> Self {
        versions.include(message.version.or(before.and_then(|before| before.version)));
        let later = before.map(|before| EntityPart::of_data(&before.data, versions.names())).unwrap_or_default();
        let data = message.data.as_deref().map_or_else(empty, |data| later.merged_into(data));
        Self::with_data(before, message, data, versions.lacks_something())
    }

    /// The entity after a message that has a part of it, and what counts of that part.
    pub(super) fn merged(
        before: Option<&Self>,
        message: &EventMessage<'_>,
        versions: &mut AttributeVersions,
    ) -> (Self, EntityPart) {
        let known = before.and_then(|before| before.version);
        let mut part = EntityPart::of(message);
        part.retain(|name| versions.change(name, message.version, known));
        if part.lacks_something() {
            versions.lack(message.version.or(known));
        }
        let data = match (before, message.data.as_deref()) {
            (Some(before), _) => part.merged_into(&before.data),
            (None, Some(data)) if !is_left_out(message) => data.to_owned(),
            (None, _) => empty(),
        };
        let is_partial = part.lacks_something() || before.is_none_or(|before| before.is_partial);
        (Self::with_data(before, message, data, is_partial), part)
    }

    /// The entity with this data after a message, which may be older than the entity before it.
    fn with_data(before: Option<&Self>, message: &EventMessage<'_>, data: Box<RawValue>, is_partial: bool) -> Self {
        let is_older = |before: &&Self| message.version.is_some() && message.version < before.version;
        if let Some(before) = before.filter(is_older) {
            return Self { data, is_partial, ..before.clone() };
        }
        Self {
            tenant: message.tenant.as_ref().to_owned(),
            service_path: message.service_path.as_ref().to_owned(),
            id: message.entity_id.as_ref().to_owned(),
            types: EntityTypes::clone(&message.entity_type),
            data,
            version: message.version.or(before.and_then(|before| before.version)),
            timestamp: message.timestamp.as_ref().to_owned(),
            is_partial,
        }
    }

    /// The same entity with a greater version, if it is known.
    pub(super) fn at_least(mut self, version: Option<u64>) -> Self {
        self.version = self.version.max(version);
        self
    }

    /// True if nothing of the entity differs that a program can see.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        let seen = |entity: &Self| (entity.version, entity.is_partial);
        seen(self) == seen(other)
            && self.timestamp == other.timestamp
            && self.types == other.types
            && self.data.get() == other.data.get()
    }

    /// An entity of another source.
    pub(super) fn loaded(tenant: &Tenant, loaded: LoadedEntity) -> Self {
        let LoadedEntity { id, types, service_path, data } = loaded;
        let (tenant, timestamp) = (tenant.to_string(), String::new());
        Self { tenant, service_path, id, types, data, version: None, timestamp, is_partial: false }
    }

    /// This loaded entity with a part of it that messages have brought, and with what they told of the entity as they `showed` it.
    pub(super) fn with_part(self, part: &EntityPart, showed: &Self) -> Self {
        let data = part.merged_into(&self.data);
        Self { data, is_partial: part.lacks_something(), ..showed.clone() }
    }

    /// The tenant, in lower case.
    pub fn tenant(&self) -> &str {
        &self.tenant
    }

    /// The `Fiware-ServicePath`.
    pub fn service_path(&self) -> &str {
        &self.service_path
    }

    /// The id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The type or types, as published.
    pub fn types(&self) -> &EntityTypes {
        &self.types
    }

    /// The attributes: a JSON object in the view of the subscription, byte for byte as the server sent it unless the client merged
    /// [partial data](Self::is_partial).
    pub fn data(&self) -> &RawValue {
        &self.data
    }

    /// The names and the values of the attributes, in their order.
    pub fn attributes(&self) -> Vec<(String, &RawValue)> {
        EntityMembers::of(&self.data).0
    }

    /// The value of an attribute. `None` if the entity does not have it.
    pub fn attribute(&self, name: &str) -> Option<&RawValue> {
        EntityMembers::of(&self.data).0.into_iter().rev().find(|(other, _)| other == name).map(|(_, value)| value)
    }

    /// The greatest version that the client has seen. The version grows with each change of the entity. `None` if the server keeps
    /// no state of it.
    pub fn version(&self) -> Option<u64> {
        self.version
    }

    /// The time of the last change, as published. Empty for an entity that the program has [loaded](crate::Entities::load) and that
    /// has not changed since.
    pub fn timestamp(&self) -> &str {
        &self.timestamp
    }

    /// True if there may be more attributes: the server does not know the whole entity, or could not send it.
    pub fn is_partial(&self) -> bool {
        self.is_partial
    }
}

fn empty() -> Box<RawValue> {
    EntityMembers::default().to_object().unwrap_or_default()
}
