use entity_stream_connections::{Authorisation, Connection};
use entity_stream_protocol::{ConnectionId, EntityType, EpochMillis, Filter, Format, Tenant};

/// When every sample connection was opened: far in the future, so that no engine's own TTL touches a test's items.
pub(crate) fn now() -> EpochMillis {
    EpochMillis::new(4_102_444_800_000)
}

pub(crate) fn id(name: &str) -> ConnectionId {
    ConnectionId::parse(name).unwrap()
}

pub(crate) fn tenant(name: &str) -> Tenant {
    Tenant::parse(name).unwrap()
}

pub(crate) fn entity_type(name: &str) -> EntityType {
    EntityType::parse(name).unwrap()
}

/// `{prefix}0`, `{prefix}1` and so on.
pub(crate) fn names(prefix: &str, count: usize) -> Vec<String> {
    (0..count).map(|i| format!("{prefix}{i}")).collect()
}

/// A filter by types only.
pub(crate) fn filter<T: AsRef<str>>(types: impl AsRef<[T]>) -> Filter {
    Filter::new(types.as_ref().iter().map(AsRef::as_ref), None).unwrap()
}

/// A connection of the tenant `demo`, opened `now`.
pub(crate) fn connection(name: &str, filter: impl Into<Option<Filter>>) -> Connection {
    Connection {
        id: id(name),
        tenant: tenant("demo"),
        connected_at: now(),
        filter: filter.into(),
        format: Format::Json,
        group: None,
        authorisation: Authorisation::Open,
    }
}
