use entity_stream_protocol::EventMessage;

use super::entity::Entity;

/// The identity of an entity within its tenant. Keys are in the order of the ids.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct CollectionKey {
    id: String,
    service_path: String,
}

impl CollectionKey {
    pub(super) fn of(message: &EventMessage<'_>) -> Self {
        Self { id: message.entity_id.as_ref().to_owned(), service_path: message.service_path.as_ref().to_owned() }
    }

    pub(super) fn of_entity(entity: &Entity) -> Self {
        Self { id: entity.id().to_owned(), service_path: entity.service_path().to_owned() }
    }
}
