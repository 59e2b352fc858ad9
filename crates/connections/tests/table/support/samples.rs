use entity_stream_connections::{Authorisation, Connection, Interest, Table, TableError};
use entity_stream_protocol::{
    ConnectionId, EntityType, EpochMillis, Filter, FilterFields, Format, Session, Subscription, SubscriptionName,
    Tenant, View,
};

/// When every sample connection was opened: far in the future, so that no engine's own TTL touches a test's items.
pub(crate) fn now() -> EpochMillis {
    EpochMillis::new(4_102_444_800_000)
}

pub(crate) fn id(name: &str) -> ConnectionId {
    ConnectionId::parse(name).unwrap()
}

pub(crate) fn session(name: &str) -> Session {
    Session::parse(name).unwrap()
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

/// A filter as the table stores it, which can have more types than a client may send.
pub(crate) fn stored_filter(types: &[EntityType]) -> Filter {
    serde_json::from_value(serde_json::json!({ "entityTypes": types })).unwrap()
}

/// A filter by ids only.
pub(crate) fn by_ids<T: AsRef<str>>(ids: impl AsRef<[T]>) -> Filter {
    let entity_ids = ids.as_ref().iter().map(|id| id.as_ref().to_owned()).collect();
    FilterFields { entity_ids, ..FilterFields::default() }.check().unwrap()
}

/// A filter by types, or every type, and a pattern.
pub(crate) fn with_pattern(types: &[&str], pattern: &str) -> Filter {
    Filter::new(types.iter().copied(), Some(pattern)).unwrap()
}

/// The name of a subscription; an empty text is the default subscription.
pub(crate) fn subscription_name(text: &str) -> SubscriptionName {
    SubscriptionName::try_from(text.to_owned()).unwrap()
}

/// A subscription of this name; an empty text is the default subscription.
pub(crate) fn named(name: &str, filter: Filter) -> Subscription {
    Subscription { name: subscription_name(name), filter, view: View::default() }
}

/// The default subscription with this filter alone, or no subscription.
pub(crate) fn only(filter: impl Into<Option<Filter>>) -> Vec<Subscription> {
    filter.into().map(Subscription::from).into_iter().collect()
}

/// The filter of the default subscription.
pub(crate) fn default_filter(connection: &Connection) -> Option<Filter> {
    connection.subscription(&SubscriptionName::DEFAULT).map(|subscription| subscription.filter.clone())
}

/// The patterns of the subscriptions that want an interest.
pub(crate) fn patterns(interest: &Interest) -> Vec<Option<String>> {
    let filter = |text: &str| match text {
        "" => Filter::default(),
        text => serde_json::from_str(text).unwrap(),
    };
    let filters = interest.wants.iter().map(|want| filter(&want.filter));
    filters.map(|filter| filter.id_pattern().map(|pattern| pattern.as_str().to_owned())).collect()
}

/// A connection of the tenant `demo` with a default subscription or none, opened `now`.
pub(crate) fn connection(name: &str, filter: impl Into<Option<Filter>>) -> Connection {
    Connection {
        id: id(name),
        tenant: tenant("demo"),
        connected_at: now(),
        subscriptions: only(filter),
        acknowledgement: None,
        format: Format::Json,
        group: None,
        takes_batches: false,
        resumed: None,
        resumed_at: None,
        authorisation: Authorisation::Open,
    }
}

/// Replaces the default subscription, or removes it.
pub(crate) async fn subscribe(
    table: &Table,
    id: &ConnectionId,
    wanted: Option<&Filter>,
    now: EpochMillis,
) -> Result<Connection, TableError> {
    match wanted {
        Some(filter) => Ok(table.subscribe(id, &[filter.clone().into()], None, now).await?.after),
        None => table.unsubscribe(id, &SubscriptionName::DEFAULT, now).await,
    }
}
