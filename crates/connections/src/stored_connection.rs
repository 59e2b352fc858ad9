//! The item of a connection, and the list of its interest items.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::types::AttributeValue;
use entity_stream_protocol::{
    Acknowledgement, ConnectionId, FilterScopes, Format, GroupId, Session, Subscription, Tenant,
};

use crate::attributes::{
    ACKNOWLEDGEMENT, BATCH, CONNECTED_AT, EXPIRES_AT, FORMAT, GROUP, GROUP_HASH, Item, RESUMED_AT, REVISION, SESSION,
    SUBSCRIPTIONS, TENANT, get_number, get_string, get_time, number, string,
};
use crate::authorisation::Authorisation;
use crate::connection::Connection;
use crate::group::GroupHash;
use crate::hash::stable_hash;
use crate::keys::{Scope, connection_key, interest_key};
use crate::want::{Want, from_list, to_list};

/// A connection item.
#[derive(Clone, Debug)]
pub(crate) struct StoredConnection {
    pub(crate) connection: Connection,
    /// Grows by one with each change of the connection.
    pub(crate) revision: u64,
    /// The hash of its group, once it has a subject or needs none.
    pub(crate) group_hash: Option<GroupHash>,
}

/// The scopes by which a subscription is found.
pub(crate) fn scopes_of(subscription: &Subscription) -> Vec<Scope> {
    match subscription.filter.scopes() {
        FilterScopes::Every => vec![Scope::Every],
        FilterScopes::Types(types) => types.iter().cloned().map(Scope::Type).collect(),
        FilterScopes::Ids(ids) => ids.into_iter().map(Scope::Id).collect(),
    }
}

impl StoredConnection {
    /// The scopes of the interest items that a connection needs: those of its subscriptions, once it is authorised.
    pub(crate) fn scopes(connection: &Connection) -> BTreeSet<Scope> {
        match connection.authorisation {
            Authorisation::Pending => BTreeSet::new(),
            Authorisation::Open | Authorisation::Unproved(_) | Authorisation::Granted(_) => {
                connection.subscriptions.iter().flat_map(scopes_of).collect()
            }
        }
    }

    /// A new connection in a group with this hash, or in no group.
    pub(crate) fn new(connection: Connection, group_hash: Option<GroupHash>) -> Self {
        Self { connection, revision: 1, group_hash }
    }

    /// The position of the connection in every partition.
    pub(crate) fn hash(&self) -> u64 {
        let session = || self.connection.resumed.as_ref().map_or(self.connection.id.as_str(), Session::as_str);
        self.group_hash.map_or_else(|| stable_hash(session().as_bytes()), |GroupHash(hash)| hash)
    }

    /// The keys of all its interest items.
    pub(crate) fn interest_keys(&self) -> impl Iterator<Item = Item> {
        let (connection, hash) = (&self.connection, self.hash());
        self.interest_scopes()
            .into_iter()
            .map(move |scope| interest_key(&connection.tenant, &scope, &connection.id, hash))
    }

    /// The scopes of all its interest items.
    pub(crate) fn interest_scopes(&self) -> BTreeSet<Scope> {
        Self::scopes(&self.connection)
    }

    /// The connection's interest in a scope.
    pub(crate) fn wants(&self, scope: &Scope) -> Vec<Want> {
        let want = |subscription: &Subscription| {
            let filter = &subscription.filter;
            // The scope says that a change has the type or the id.
            let rest = match scope {
                Scope::Every => filter.clone(),
                Scope::Type(_) => filter.without_types(),
                Scope::Id(_) => filter.without_ids(),
            };
            scopes_of(subscription).contains(scope).then(|| Want::new(subscription, &rest))
        };
        self.connection.subscriptions.iter().filter_map(want).collect()
    }

    /// True if the connection has a subscription with a name.
    pub(crate) fn is_named(&self) -> bool {
        self.connection.subscriptions.iter().any(|subscription| !subscription.name.is_default())
    }

    pub(crate) fn to_item(&self) -> Item {
        let connection = &self.connection;
        let mut item = connection_key(&connection.id);
        item.insert(TENANT.to_owned(), string(connection.tenant.as_str()));
        item.insert(CONNECTED_AT.to_owned(), number(connection.connected_at.millis()));
        item.insert(EXPIRES_AT.to_owned(), number(connection.expires_at().seconds()));
        item.insert(FORMAT.to_owned(), string(connection.format.as_str()));
        item.insert(REVISION.to_owned(), number(self.revision));
        let wants: Vec<_> = connection.subscriptions.iter().map(|each| Want::new(each, &each.filter)).collect();
        item.insert(SUBSCRIPTIONS.to_owned(), to_list(&wants));
        if let Some(acknowledgement) = connection.acknowledgement {
            item.insert(ACKNOWLEDGEMENT.to_owned(), string(acknowledgement.as_str()));
        }
        if let Some(group) = &connection.group {
            item.insert(GROUP.to_owned(), string(group.as_str()));
        }
        if let Some(hash) = self.group_hash {
            item.insert(GROUP_HASH.to_owned(), string(hash.to_string()));
        }
        if connection.takes_batches {
            item.insert(BATCH.to_owned(), AttributeValue::Bool(true));
        }
        if let Some(session) = &connection.resumed {
            item.insert(SESSION.to_owned(), string(session.as_str()));
        }
        if let Some(at) = connection.resumed_at {
            item.insert(RESUMED_AT.to_owned(), number(at.millis()));
        }
        connection.authorisation.write(&mut item);
        item
    }

    /// Reads an item that [`StoredConnection::to_item`] wrote; `None` for any other item.
    pub(crate) fn from_item(id: &ConnectionId, item: &Item) -> Option<Self> {
        let wants = from_list(item.get(SUBSCRIPTIONS)?)?;
        let connection = Connection {
            id: id.clone(),
            tenant: Tenant::parse(get_string(item, TENANT)?).ok()?,
            connected_at: get_time(item, CONNECTED_AT)?,
            subscriptions: wants.iter().map(Want::to_subscription).collect::<Option<_>>()?,
            acknowledgement: match get_string(item, ACKNOWLEDGEMENT) {
                Some(text) => Some(Acknowledgement::parse(text).ok()?),
                None => None,
            },
            format: Format::parse(get_string(item, FORMAT)?).ok()?,
            group: match get_string(item, GROUP) {
                Some(group) => Some(GroupId::parse(group).ok()?),
                None => None,
            },
            takes_batches: item.contains_key(BATCH),
            resumed: match get_string(item, SESSION) {
                Some(session) => Some(Session::parse(session).ok()?),
                None => None,
            },
            resumed_at: get_time(item, RESUMED_AT),
            authorisation: Authorisation::read(item)?,
        };
        let group_hash = match get_string(item, GROUP_HASH) {
            Some(hash) => Some(GroupHash::parse(hash)?),
            // Without the hash, the interests of a member cannot be found.
            None if connection.group.is_some() && connection.authorisation.is_decided() => return None,
            None => None,
        };
        Some(Self { connection, revision: get_number(item, REVISION)?, group_hash })
    }
}
