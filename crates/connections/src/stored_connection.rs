//! The item of a connection, and the list of its interest items.

use std::collections::BTreeSet;

use entity_stream_protocol::limits::SCOPES;
use entity_stream_protocol::{Acknowledgement, ConnectionId, FilterScopes, Format, GroupId, Subscription, Tenant};

use crate::attributes::{
    ACKNOWLEDGEMENT, CONNECTED_AT, EXPIRES_AT, FORMAT, GROUP, GROUP_HASH, Item, KEPT, REVISION, SUBSCRIPTIONS, TENANT,
    get_number, get_string, get_time, number, string,
};
use crate::authorisation::Authorisation;
use crate::connection::Connection;
use crate::group::GroupHash;
use crate::hash::stable_hash;
use crate::kept::{Kept, read_kept, write_kept};
use crate::keys::{Scope, connection_key, interest_key};
use crate::want::{Want, from_list, to_list};

/// The most scopes of a connection, those included that it keeps.
pub(crate) const SCOPES_WITH_KEPT: usize = SCOPES + 1;

/// A connection item.
#[derive(Clone, Debug)]
pub(crate) struct StoredConnection {
    pub(crate) connection: Connection,
    /// Grows by one with each change of the connection.
    pub(crate) revision: u64,
    /// Scopes that subscriptions had before. Their interest items exist and hold the present filter. A reader that read the present
    /// scopes before the change finds the connection there.
    pub(crate) kept: Kept,
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
            Authorisation::Open | Authorisation::Granted(_) => {
                connection.subscriptions.iter().flat_map(scopes_of).collect()
            }
        }
    }

    /// A new connection in a group with this hash, or in no group.
    pub(crate) fn new(connection: Connection, group_hash: Option<GroupHash>) -> Self {
        Self { connection, revision: 1, kept: Kept::new(), group_hash }
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
    pub(crate) fn interest_scopes(&self) -> BTreeSet<Scope> {
        let mut scopes = Self::scopes(&self.connection);
        scopes.extend(self.kept.values().flatten().cloned());
        scopes
    }

    /// What the connection wants of a scope.
    pub(crate) fn wants(&self, scope: &Scope) -> Vec<Want> {
        let want = |subscription: &Subscription| {
            let filter = &subscription.filter;
            if scopes_of(subscription).contains(scope) {
                // The scope says that a change has the type or the id.
                let rest = match scope {
                    Scope::Every => filter.clone(),
                    Scope::Type(_) => filter.without_types(),
                    Scope::Id(_) => filter.without_ids(),
                };
                return Some(Want::new(subscription, &rest));
            }
            let keeps = self.kept.get(&subscription.name).is_some_and(|kept| kept.contains(scope));
            keeps.then(|| Want::new(subscription, filter))
        };
        self.connection.subscriptions.iter().filter_map(want).collect()
    }

    /// True if the connection has a subscription with a name.
    pub(crate) fn is_named(&self) -> bool {
        self.connection.subscriptions.iter().any(|subscription| !subscription.name.is_default())
    }

    /// The scopes that each subscription keeps when the connection becomes `wanted`: those that an event reads after the new
    /// ones. A connection has at most 50 scopes; more are not kept.
    pub(crate) fn kept_by(&self, wanted: &Connection) -> Kept {
        if wanted.authorisation == Authorisation::Pending {
            return Kept::new();
        }
        let mut all = Self::scopes(wanted);
        let mut kept = Kept::new();
        for subscription in &wanted.subscriptions {
            let scopes = scopes_of(subscription);
            let Some(old) = self.connection.subscription(&subscription.name) else { continue };
            let former =
                scopes_of(old).into_iter().chain(self.kept.get(&subscription.name).into_iter().flatten().cloned());
            for scope in former.filter(|scope| scopes.iter().all(|new| scope.is_read_after(new))) {
                if all.contains(&scope) || all.len() < SCOPES_WITH_KEPT {
                    all.insert(scope.clone());
                    kept.entry(subscription.name.clone()).or_default().insert(scope);
                }
            }
        }
        kept
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
        connection.authorisation.write(&mut item);
        if !self.kept.is_empty() {
            item.insert(KEPT.to_owned(), write_kept(&self.kept));
        }
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
            authorisation: Authorisation::read(item)?,
        };
        let group_hash = match get_string(item, GROUP_HASH) {
            Some(hash) => Some(GroupHash::parse(hash)?),
            // Without the hash, the interests of a member cannot be found.
            None if connection.group.is_some() && connection.authorisation.is_decided() => return None,
            None => None,
        };
        let kept = item.get(KEPT).map_or_else(|| Some(Kept::new()), read_kept)?;
        Some(Self { connection, revision: get_number(item, REVISION)?, kept, group_hash })
    }
}
