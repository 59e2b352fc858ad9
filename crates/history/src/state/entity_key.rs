use entity_stream_protocol::Tenant;

use crate::keys::{HASH_LENGTH, HistoryItem, hash, state_key};

/// The key of an entity.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntityKey {
    pub(super) tenant: Tenant,
    entity: String,
    service_path: String,
}

impl EntityKey {
    /// The key of an entity with this id and `Fiware-ServicePath`.
    pub fn new(tenant: &Tenant, entity_id: &str, service_path: &str) -> Self {
        Self { tenant: tenant.clone(), entity: hash(entity_id), service_path: hash(service_path) }
    }

    /// The sort key of its index items.
    pub(super) fn sort_key(&self) -> String {
        format!("{}{}", self.entity, self.service_path)
    }

    pub(super) fn of_index(tenant: &Tenant, sort_key: &str) -> Option<Self> {
        let (entity, service_path) = sort_key.split_at_checked(HASH_LENGTH)?;
        Some(Self { tenant: tenant.clone(), entity: entity.to_owned(), service_path: service_path.to_owned() })
    }

    pub(super) fn item_key(&self) -> HistoryItem {
        state_key(&self.tenant, &self.entity, &self.service_path)
    }
}
