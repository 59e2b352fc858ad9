//! The item of a connection, and the list of its interest items.

use aws_sdk_dynamodb::types::AttributeValue;
use entity_stream_protocol::{ConnectionId, EntityType, Filter, Format, GroupId, IdPattern, Tenant};

use crate::attributes::{
    CONNECTED_AT, ENTITY_TYPES, EXPIRES_AT, FORMAT, GROUP, GROUP_HASH, ID_PATTERN, Item, KEPT, REVISION, SUBSCRIBED,
    TENANT, get_number, get_string, get_time, number, string,
};
use crate::authorisation::Authorisation;
use crate::connection::Connection;
use crate::group::GroupHash;
use crate::hash::stable_hash;
use crate::keys::{Scope, connection_key, interest_key};

/// A connection item.
#[derive(Clone, Debug)]
pub(crate) struct StoredConnection {
    pub(crate) connection: Connection,
    /// Grows by one with each change of the connection.
    pub(crate) revision: u64,
    /// The types of an earlier filter, while the filter names no type. The interest items of these types exist and hold the
    /// present filter. A reader that read `*` before the change finds the connection there.
    pub(crate) kept: Vec<Scope>,
    /// The hash of its group, once it has a subject or needs none.
    pub(crate) group_hash: Option<GroupHash>,
}

impl StoredConnection {
    /// The scopes of the interest items that a connection needs: those of its filter, once it is authorised.
    pub(crate) fn scopes(connection: &Connection) -> Vec<Scope> {
        match &connection.filter {
            _ if connection.authorisation == Authorisation::Pending => Vec::new(),
            None => Vec::new(),
            Some(filter) if filter.entity_types().is_empty() => vec![Scope::Every],
            Some(filter) => filter.entity_types().iter().cloned().map(Scope::Type).collect(),
        }
    }

    /// A new connection in a group with this hash, or in no group.
    pub(crate) fn new(connection: Connection, group_hash: Option<GroupHash>) -> Self {
        Self { connection, revision: 1, kept: Vec::new(), group_hash }
    }

    /// The position of the connection in every partition.
    pub(crate) fn hash(&self) -> u64 {
        self.group_hash.map_or_else(|| stable_hash(self.connection.id.as_str().as_bytes()), |GroupHash(hash)| hash)
    }

    /// The keys of all its interest items.
    pub(crate) fn interest_keys(&self) -> impl Iterator<Item = Item> {
        let (connection, hash) = (&self.connection, self.hash());
        self.interest_scopes()
            .into_iter()
            .map(move |scope| interest_key(&connection.tenant, &scope, &connection.id, hash))
    }

    /// The scopes of all its interest items.
    pub(crate) fn interest_scopes(&self) -> Vec<Scope> {
        let mut scopes = Self::scopes(&self.connection);
        scopes.extend(self.kept.iter().cloned());
        scopes
    }

    /// The scopes that the connection keeps when it becomes `wanted`, in addition to those that `wanted` needs. If `wanted`
    /// names no type, the connection keeps its types: a reader that read `*` before the change reads the types next.
    pub(crate) fn kept_by(&self, wanted: &Connection) -> Vec<Scope> {
        if Self::scopes(wanted) != [Scope::Every] {
            return Vec::new();
        }
        self.interest_scopes().into_iter().filter(|scope| *scope != Scope::Every).collect()
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
        if let Some(hash) = self.group_hash {
            item.insert(GROUP_HASH.to_owned(), string(hash.to_string()));
        }
        if let Some(filter) = &connection.filter {
            item.insert(ENTITY_TYPES.to_owned(), entity_types_attribute(filter));
            if let Some(pattern) = filter.id_pattern() {
                item.insert(ID_PATTERN.to_owned(), string(pattern.as_str()));
            }
        }
        connection.authorisation.write(&mut item);
        if !self.kept.is_empty() {
            item.insert(KEPT.to_owned(), kept_attribute(&self.kept));
        }
        item
    }

    /// Reads an item that [`StoredConnection::to_item`] wrote; `None` for any other item.
    pub(crate) fn from_item(id: &ConnectionId, item: &Item) -> Option<Self> {
        let subscribed = *item.get(SUBSCRIBED)?.as_bool().ok()?;
        let filter = if subscribed {
            let types = read_types(item.get(ENTITY_TYPES)?)?;
            let pattern = get_string(item, ID_PATTERN).map(|text| IdPattern::from_stored(text.to_owned()));
            Some(Filter::from_stored(types, pattern))
        } else {
            None
        };
        let connection = Connection {
            id: id.clone(),
            tenant: Tenant::parse(get_string(item, TENANT)?).ok()?,
            connected_at: get_time(item, CONNECTED_AT)?,
            filter,
            format: Format::parse(get_string(item, FORMAT)?).ok()?,
            group: match get_string(item, GROUP) {
                Some(group) => Some(GroupId::parse(group).ok()?),
                None => None,
            },
            authorisation: Authorisation::read(item)?,
        };
        let group_hash = match get_string(item, GROUP_HASH) {
            Some(hash) => Some(GroupHash::parse(hash)?),
            // Without the hash, the interests of a member cannot be found.
            None if connection.group.is_some() && connection.authorisation.is_decided() => return None,
            None => None,
        };
        let kept = item.get(KEPT).map_or_else(|| Some(Vec::new()), read_kept)?;
        Some(Self { connection, revision: get_number(item, REVISION)?, kept, group_hash })
    }
}

fn entity_types_attribute(filter: &Filter) -> AttributeValue {
    AttributeValue::L(filter.entity_types().iter().map(|entity_type| string(entity_type.as_str())).collect())
}

/// A connection keeps only types.
fn kept_attribute(kept: &[Scope]) -> AttributeValue {
    let types = kept.iter().filter_map(|scope| match scope {
        Scope::Type(entity_type) => Some(string(entity_type.as_str())),
        Scope::Every => None,
    });
    AttributeValue::L(types.collect())
}

fn read_kept(value: &AttributeValue) -> Option<Vec<Scope>> {
    Some(read_types(value)?.into_iter().map(Scope::Type).collect())
}

/// The types in a list; `None` for any other value.
fn read_types(value: &AttributeValue) -> Option<Vec<EntityType>> {
    value.as_l().ok()?.iter().map(|value| EntityType::parse(value.as_s().ok()?).ok()).collect()
}
