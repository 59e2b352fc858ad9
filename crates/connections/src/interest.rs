use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use entity_stream_protocol::limits::{INTEREST_BYTES, PROOF_TIME};
use entity_stream_protocol::{ConnectionId, EpochMillis, Format, GroupId};

use crate::attributes::{
    AUTHORISED_UNTIL, BATCH, CONNECTED_AT, EXPIRES_AT, FORMAT, GROUP, Item, NAMED, PENDING, PK, SK, SUBSCRIPTIONS,
    get_string, get_time, item_bytes, number, string,
};
use crate::authorisation::{Authorisation, read_until};
use crate::connection::Connection;
use crate::group::GroupHash;
use crate::keys::{Scope, interest_hash, interest_key};
use crate::stored_connection::StoredConnection;
use crate::want::{Want, from_list, to_list};

/// The interest of one connection in an event, with all facts that a delivery needs.
#[derive(Clone, Debug)]
pub struct Interest {
    /// The connection to deliver to.
    pub connection_id: ConnectionId,
    /// The subscriptions that want the scope in which the interest was found; at least one.
    pub wants: Vec<Want>,
    /// True if the connection has a subscription with a name. Events then say which subscriptions they match.
    pub is_named: bool,
    /// The format of the event.
    pub format: Format,
    /// True if the client takes several events in one frame.
    pub takes_batches: bool,
    /// The consumer group of the connection, if it belongs to one.
    pub group: Option<GroupId>,
    /// The time at which the connection was opened.
    pub connected_at: EpochMillis,
    /// The end of the authorisation, if it ends before the connection. A renewal changes it, so read the connection item
    /// before you act on an expired authorisation.
    pub authorised_until: Option<EpochMillis>,
    /// True if the client has yet to prove that it has the key of its token. The authorisation then counts as expired.
    pub awaits_proof: bool,
    pub(crate) key: (String, String),
}

impl Interest {
    /// The position in its partition: the hash of the group or of the connection, the same in all partitions.
    pub fn hash(&self) -> u64 {
        interest_hash(&self.key.1).unwrap_or_default()
    }

    /// The age of the connection at `now`.
    pub fn connection_age(&self, now: EpochMillis) -> Duration {
        now.since(self.connected_at)
    }

    /// True if the client may still prove that it has the key of its token, so that the connection is to be left alone.
    pub fn may_be_proved(&self, now: EpochMillis) -> bool {
        self.awaits_proof && self.connection_age(now) < PROOF_TIME
    }

    /// Reads an item that [`interest_item`] wrote; `None` for any other item.
    pub(crate) fn from_item(item: &Item) -> Option<Self> {
        Some(Self {
            connection_id: ConnectionId::parse(get_string(item, SK)?.split_once('#')?.1).ok()?,
            wants: match item.get(SUBSCRIPTIONS) {
                Some(wants) => from_list(wants).filter(|wants| !wants.is_empty())?,
                None => vec![Want::default()],
            },
            is_named: item.contains_key(NAMED),
            format: match item.get(FORMAT) {
                Some(format) => Format::parse(format.as_s().ok()?).ok()?,
                None => Format::default(),
            },
            takes_batches: item.contains_key(BATCH),
            group: match get_string(item, GROUP) {
                Some(group) => Some(GroupId::parse(group).ok()?),
                None => None,
            },
            connected_at: get_time(item, CONNECTED_AT)?,
            authorised_until: read_until(item)?,
            awaits_proof: item.contains_key(PENDING),
            key: (
                get_string(item, PK)?.to_owned(),
                get_string(item, SK).filter(|key| interest_hash(key).is_some())?.to_owned(),
            ),
        })
    }
}

impl Connection {
    /// Returns the interests of the connection as [`crate::Table::interests`] reads them after [`crate::Table::register`], except
    /// that a group has a hash of its name.
    pub fn interests(&self) -> Vec<Interest> {
        let stored = StoredConnection::new(self.clone(), self.group.as_ref().map(GroupHash::of_name));
        stored
            .interest_scopes()
            .iter()
            .filter_map(|scope| Interest::from_item(&interest_item(&stored, scope)))
            .collect()
    }
}

/// True if the interest items of a connection are not too large together, nor its own item. Each interest repeats most of a filter,
/// so a short filter can become large items.
pub(crate) fn is_within_limit(stored: &StoredConnection, interests: &[Item]) -> bool {
    interests.iter().map(item_bytes).sum::<usize>() <= INTEREST_BYTES && item_bytes(&stored.to_item()) <= INTEREST_BYTES
}

/// All interest items of a connection.
pub(crate) fn interest_items(stored: &StoredConnection) -> Vec<Item> {
    stored.interest_scopes().iter().map(|scope| interest_item(stored, scope)).collect()
}

/// The interest item of a connection in one scope. DynamoDB charges reads by the byte, so the item holds only the facts that a
/// delivery needs: the key contains the connection's id, and JSON, the usual format, and the default subscription without a
/// filter are the default.
pub(crate) fn interest_item(stored: &StoredConnection, scope: &Scope) -> Item {
    let connection = &stored.connection;
    let mut item = interest_key(&connection.tenant, scope, &connection.id, stored.hash());
    item.insert(CONNECTED_AT.to_owned(), number(connection.connected_at.millis()));
    item.insert(EXPIRES_AT.to_owned(), number(connection.expires_at().seconds()));
    if connection.format != Format::default() {
        item.insert(FORMAT.to_owned(), string(connection.format.as_str()));
    }
    if connection.takes_batches {
        item.insert(BATCH.to_owned(), AttributeValue::Bool(true));
    }
    if let Some(group) = &connection.group {
        item.insert(GROUP.to_owned(), string(group.as_str()));
    }
    match &stored.wants(scope)[..] {
        [only] if only.is_plain() => {}
        wants => {
            item.insert(SUBSCRIPTIONS.to_owned(), to_list(wants));
        }
    }
    if stored.is_named() {
        item.insert(NAMED.to_owned(), AttributeValue::Bool(true));
    }
    if let Authorisation::Unproved(_) = connection.authorisation {
        item.insert(PENDING.to_owned(), AttributeValue::Bool(true));
        item.insert(AUTHORISED_UNTIL.to_owned(), number(connection.connected_at.millis()));
    }
    if let Some(until) = connection.authorisation.until() {
        item.insert(AUTHORISED_UNTIL.to_owned(), number(until.millis()));
    }
    item
}
