use entity_stream_protocol::{EntityTypes, EventMessage, Tenant};
use serde_json::value::RawValue;

use super::entity_part::{EntityPart, is_left_out, is_whole};
use super::loaded_entity::LoadedEntity;

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
        Self::after(None, message, false)
    }

    /// The entity after a message about it, which is no end of it. `merges`: see [`is_whole`].
    pub(super) fn after(before: Option<&Self>, message: &EventMessage<'_>, merges: bool) -> Self {
        let (left_out, replaces) = (is_left_out(message), is_whole(message, merges));
        let published = message.data.as_deref();
        let (data, is_partial) = match (before, published) {
            (_, Some(data)) if replaces => (data.to_owned(), message.partial),
            // The message has only a part of the entity, or nothing of it.
            (Some(before), Some(_)) if !left_out => {
                (EntityPart::of(message).merged_into(&before.data), before.is_partial)
            }
            (Some(before), _) => (before.data.clone(), true),
            (None, Some(data)) if !left_out => (data.to_owned(), true),
            (None, _) => (empty(), true),
        };
        Self {
            tenant: message.tenant.as_ref().to_owned(),
            service_path: message.service_path.as_ref().to_owned(),
            id: message.entity_id.as_ref().to_owned(),
            types: EntityTypes::clone(&message.entity_type),
            data,
            version: message.version.or(before.and_then(|before| before.version)),
            timestamp: message.timestamp.as_ref().to_owned(),
            is_partial: is_partial || message.partial,
        }
    }

    /// The same entity with a greater version, if it is known.
    pub(super) fn at_least(mut self, version: Option<u64>) -> Self {
        self.version = self.version.max(version);
        self
    }

    /// True if nothing of the entity differs that a program can see.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.version == other.version && self.timestamp == other.timestamp && self.data.get() == other.data.get()
    }

    /// An entity of another source.
    pub(super) fn loaded(tenant: &Tenant, loaded: LoadedEntity) -> Self {
        let LoadedEntity { id, types, service_path, data } = loaded;
        let (tenant, timestamp) = (tenant.to_string(), String::new());
        Self { tenant, service_path, id, types, data, version: None, timestamp, is_partial: false }
    }

    /// The same entity with a part of it that messages have brought, and with what they told of the entity as they `showed` it.
    pub(super) fn with_part(self, part: &EntityPart, showed: &Self) -> Self {
        let data = part.merged_into(&self.data);
        let is_partial = self.is_partial || part.lacks_something();
        Self { data, is_partial, version: showed.version, timestamp: showed.timestamp.clone(), ..self }
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
