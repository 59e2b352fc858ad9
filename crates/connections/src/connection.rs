use aws_sdk_dynamodb::types::AttributeValue;
use entity_stream_protocol::limits::CONNECTION_LIFETIME;
use entity_stream_protocol::{ConnectionId, EntityType, EpochMillis, Filter, Format, GroupId, IdPattern, Tenant};

use crate::Authorisation;
use crate::attributes::{
    AUTHORISED_UNTIL, CONNECTED_AT, ENTITY_TYPES, EXPIRES_AT, FORMAT, GROUP, ID_PATTERN, Item, KEPT, LEFTOVERS,
    REVISION, SUBSCRIBED, TENANT, get_number, get_string, number, string,
};
use crate::keys::{Scope, connection_key, interest_key};

/// A registered connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// API Gateway's id.
    pub id: ConnectionId,
    /// The tenant whose changes the connection receives.
    pub tenant: Tenant,
    /// The time at which API Gateway began the handshake.
    pub connected_at: EpochMillis,
    /// The filter; `None` while the connection is unsubscribed.
    pub filter: Option<Filter>,
    /// The format of its events.
    pub format: Format,
    /// The consumer group of the connection, if any.
    pub group: Option<GroupId>,
    /// The right of the connection to listen.
    pub authorisation: Authorisation,
}

impl Connection {
    /// The expiry of the record. API Gateway has closed the connection by then.
    pub fn expires_at(&self) -> EpochMillis {
        self.connected_at.plus(CONNECTION_LIFETIME)
    }
}

/// A stored connection item.
#[derive(Clone, Debug)]
pub(crate) struct StoredConnection {
    pub(crate) connection: Connection,
    /// The revision. It grows with every change of the filter or the authorisation.
    pub(crate) revision: u64,
    /// The types of an earlier filter, while the filter has no types. Their interest items still exist and hold the present
    /// filter. A reader that read `*` too early finds the connection there.
    pub(crate) kept: Vec<Scope>,
    /// Scopes of old interest items that did not fit into the transaction and have yet to be removed.
    pub(crate) leftovers: Vec<Scope>,
}

impl StoredConnection {
    /// The scopes of the required interest items: those of the filter, once the connection is authorised.
    pub(crate) fn scopes(connection: &Connection) -> Vec<Scope> {
        match &connection.filter {
            _ if connection.authorisation == Authorisation::Pending => Vec::new(),
            None => Vec::new(),
            Some(filter) if filter.entity_types().is_empty() => vec![Scope::Every],
            Some(filter) => filter.entity_types().iter().cloned().map(Scope::Type).collect(),
        }
    }

    /// A newly registered connection.
    pub(crate) fn new(connection: Connection) -> Self {
        Self { connection, revision: 1, kept: Vec::new(), leftovers: Vec::new() }
    }

    /// The scopes of the interest items that hold the present filter.
    pub(crate) fn current_scopes(&self) -> Vec<Scope> {
        let mut scopes = Self::scopes(&self.connection);
        scopes.extend(self.kept.iter().cloned());
        scopes
    }

    /// The scopes that are kept for the change to `wanted`, besides the required ones. If the new filter has no types, the
    /// connection keeps its types, because a reader that has read `*` without it reads the types next.
    pub(crate) fn kept_by(&self, wanted: &Connection) -> Vec<Scope> {
        if Self::scopes(wanted) != [Scope::Every] {
            return Vec::new();
        }
        self.current_scopes().into_iter().filter(|scope| *scope != Scope::Every).collect()
    }

    /// The scopes of all existing interest items of the connection.
    pub(crate) fn stored_scopes(&self) -> Vec<Scope> {
        let mut scopes = self.current_scopes();
        scopes.extend(self.leftovers.iter().cloned());
        scopes
    }

    pub(crate) fn to_item(&self) -> Item {
        let connection = &self.connection;
        let mut item = connection_key(&connection.id);
        item.insert(TENANT.to_owned(), string(connection.tenant.as_str()));
        item.insert(CONNECTED_AT.to_owned(), number(connection.connected_at.millis()));
        item.insert(EXPIRES_AT.to_owned(), number(connection.expires_at().seconds()));
        item.insert(FORMAT.to_owned(), string(connection.format.as_str()));
        item.insert(REVISION.to_owned(), number(self.revision));
        item.insert(SUBSCRIBED.to_owned(), AttributeValue::Bool(connection.filter.is_some()));
        if let Some(group) = &connection.group {
            item.insert(GROUP.to_owned(), string(group.as_str()));
        }
        if let Some(filter) = &connection.filter {
            item.insert(ENTITY_TYPES.to_owned(), entity_types_attribute(filter));
            if let Some(pattern) = filter.id_pattern() {
                item.insert(ID_PATTERN.to_owned(), string(pattern.as_str()));
            }
        }
        connection.authorisation.write(&mut item);
        for (name, scopes) in [(KEPT, &self.kept), (LEFTOVERS, &self.leftovers)] {
            if !scopes.is_empty() {
                item.insert(name.to_owned(), scopes_attribute(scopes));
            }
        }
        item
    }

    /// Reads an item that this crate wrote. Returns `None` for other items.
    pub(crate) fn from_item(id: &ConnectionId, item: &Item) -> Option<Self> {
        let subscribed = *item.get(SUBSCRIBED)?.as_bool().ok()?;
        let filter = if subscribed {
            let types: Option<Vec<EntityType>> = item
                .get(ENTITY_TYPES)?
                .as_l()
                .ok()?
                .iter()
                .map(|value| EntityType::parse(value.as_s().ok()?).ok())
                .collect();
            let pattern = get_string(item, ID_PATTERN).map(|text| IdPattern::from_stored(text.to_owned()));
            Some(Filter::from_stored(types?, pattern))
        } else {
            None
        };
        let connection = Connection {
            id: id.clone(),
            tenant: Tenant::parse(get_string(item, TENANT)?).ok()?,
            connected_at: millis(get_number(item, CONNECTED_AT)?),
            filter,
            format: Format::parse(get_string(item, FORMAT)?).ok()?,
            group: match get_string(item, GROUP) {
                Some(group) => Some(GroupId::parse(group).ok()?),
                None => None,
            },
            authorisation: Authorisation::read(item)?,
        };
        let (kept, leftovers) = (read_scopes(item, KEPT)?, read_scopes(item, LEFTOVERS)?);
        Some(Self { connection, revision: get_number(item, REVISION)?, kept, leftovers })
    }
}

/// The interest item of one scope. It contains only the attributes that a delivery needs, because DynamoDB charges reads by
/// the byte. The key contains the connection's id. JSON, the usual format, is not stored.
pub(crate) fn interest_item(connection: &Connection, scope: &Scope) -> Item {
    let mut item = interest_key(&connection.tenant, scope, &connection.id, connection.group.as_ref());
    item.insert(CONNECTED_AT.to_owned(), number(connection.connected_at.millis()));
    item.insert(EXPIRES_AT.to_owned(), number(connection.expires_at().seconds()));
    if connection.format != Format::default() {
        item.insert(FORMAT.to_owned(), string(connection.format.as_str()));
    }
    if let Some(group) = &connection.group {
        item.insert(GROUP.to_owned(), string(group.as_str()));
    }
    if let Some(pattern) = connection.filter.as_ref().and_then(Filter::id_pattern) {
        item.insert(ID_PATTERN.to_owned(), string(pattern.as_str()));
    }
    if let Some(until) = connection.authorisation.until() {
        item.insert(AUTHORISED_UNTIL.to_owned(), number(until.millis()));
    }
    item
}

pub(crate) fn entity_types_attribute(filter: &Filter) -> AttributeValue {
    AttributeValue::L(filter.entity_types().iter().map(|entity_type| string(entity_type.as_str())).collect())
}

pub(crate) fn scopes_attribute(scopes: &[Scope]) -> AttributeValue {
    AttributeValue::L(
        scopes
            .iter()
            .map(|scope| match scope {
                Scope::Type(entity_type) => string(entity_type.as_str()),
                Scope::Every => AttributeValue::Bool(true),
            })
            .collect(),
    )
}

/// The scopes in an attribute, an empty list if it is absent. Returns `None` if the attribute is malformed.
fn read_scopes(item: &Item, name: &str) -> Option<Vec<Scope>> {
    item.get(name).map_or_else(|| Some(Vec::new()), |scopes| scopes.as_l().ok()?.iter().map(read_scope).collect())
}

fn read_scope(value: &AttributeValue) -> Option<Scope> {
    match value {
        AttributeValue::S(entity_type) => Some(Scope::Type(EntityType::parse(entity_type).ok()?)),
        AttributeValue::Bool(true) => Some(Scope::Every),
        _ => None,
    }
}

pub(crate) fn millis(value: u64) -> EpochMillis {
    EpochMillis::new(i64::try_from(value).unwrap_or(i64::MAX))
}
