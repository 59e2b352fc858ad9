use entity_stream_protocol::EventMessage;

/// The identity of an entity. Keys are in the order of the ids.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct CollectionKey {
    id: String,
    service_path: String,
    tenant: String,
}

impl CollectionKey {
    pub(super) fn of(message: &EventMessage<'_>) -> Self {
        Self {
            id: message.entity_id.as_ref().to_owned(),
            service_path: message.service_path.as_ref().to_owned(),
            tenant: message.tenant.as_ref().to_owned(),
        }
    }
}
