use std::time::Duration;

use aws_sdk_dynamodb::types::{AttributeValue, ReturnConsumedCapacity};
use entity_stream_protocol::{ConnectionId, EntityType, EpochMillis, Format, GroupId, IdPattern, Tenant};

use tokio::time::timeout;

use crate::attributes::{
    CONNECTED_AT, EXPIRES_AT, FORMAT, GROUP, ID_PATTERN, Item, PK, SK, get_number, get_string, number, string,
};
use crate::authorisation::read_until;
use crate::connection::{StoredConnection, interest_item, millis};
use crate::keys::{Scope, interest_partition};
use crate::{Connection, HashRange, Table, TableError};

/// The time limit for one page. DynamoDB answers in milliseconds, so a new request is better than a longer wait.
const PAGE_TIMEOUT: Duration = Duration::from_secs(5);

/// One connection's interest in an event, with everything that its delivery needs.
#[derive(Clone, Debug)]
pub struct Interest {
    /// The connection that receives the event.
    pub connection_id: ConnectionId,
    /// The pattern for the entity id, if any.
    pub id_pattern: Option<IdPattern>,
    /// The format of the event.
    pub format: Format,
    /// The consumer group of the connection, if any.
    pub group: Option<GroupId>,
    /// The opening time of the connection.
    pub connected_at: EpochMillis,
    /// The end of the authorisation, if it comes before the end of the connection. A renewal changes this time, so read the
    /// connection itself before you act on it.
    pub authorised_until: Option<EpochMillis>,
    pub(crate) key: (String, String),
}

impl Interest {
    /// The position in the partition: the hash of the group, or of the connection if it has no group.
    pub fn hash(&self) -> u64 {
        hash_of(&self.key.1).unwrap_or_default()
    }

    /// The age of the connection at `now`.
    pub fn connection_age(&self, now: EpochMillis) -> Duration {
        now.since(self.connected_at)
    }

    fn from_item(item: &Item) -> Option<Self> {
        Some(Self {
            connection_id: ConnectionId::parse(get_string(item, SK)?.split_once('#')?.1).ok()?,
            id_pattern: get_string(item, ID_PATTERN).map(|text| IdPattern::from_stored(text.to_owned())),
            format: match item.get(FORMAT) {
                Some(format) => Format::parse(format.as_s().ok()?).ok()?,
                None => Format::default(),
            },
            group: match get_string(item, GROUP) {
                Some(group) => Some(GroupId::parse(group).ok()?),
                None => None,
            },
            connected_at: millis(get_number(item, CONNECTED_AT)?),
            authorised_until: read_until(item)?,
            key: (
                get_string(item, PK)?.to_owned(),
                get_string(item, SK).filter(|key| hash_of(key).is_some())?.to_owned(),
            ),
        })
    }
}

impl Connection {
    /// Returns the interests of the connection as [`Table::interests`] reads them after [`Table::register`].
    pub fn interests(&self) -> Vec<Interest> {
        let scopes = StoredConnection::scopes(self);
        scopes.iter().filter_map(|scope| Interest::from_item(&interest_item(self, scope))).collect()
    }
}

/// The hash at the beginning of an interest's sort key.
fn hash_of(sort_key: &str) -> Option<u64> {
    u64::from_str_radix(sort_key.split_once('#')?.0, 16).ok()
}

/// One page of the interests of a partition.
#[derive(Clone, Debug, Default)]
pub struct InterestPage {
    /// The unexpired interests of the page.
    pub interests: Vec<Interest>,
    /// The read capacity units that DynamoDB charged for the page.
    pub capacity: f64,
}

/// The interests of one partition, read page by page with strong consistency.
#[derive(Debug)]
pub struct InterestPages {
    table: Table,
    partition: String,
    range: HashRange,
    now: EpochMillis,
    start: Option<Item>,
    finished: bool,
}

impl InterestPages {
    /// The last hash of the pages so far; `None` after the last page. The interests with exactly this hash may have been
    /// read in part.
    pub fn position(&self) -> Option<u64> {
        if self.finished {
            return None;
        }
        let last = self.start.as_ref().and_then(|key| hash_of(get_string(key, SK)?));
        Some(last.unwrap_or(self.range.first()).max(self.range.first()))
    }

    /// Reads the next page. Returns `None` after the last page. An empty page need not be the last one.
    ///
    /// # Errors
    /// [`TableError::Dynamo`] or [`TableError::TimedOut`]; the same page can be asked for again.
    pub async fn next(&mut self) -> Result<Option<InterestPage>, TableError> {
        if self.finished {
            return Ok(None);
        }
        let query = self
            .table
            .client
            .query()
            .table_name(&self.table.name)
            .consistent_read(true)
            .key_condition_expression("#pk = :pk AND #sk BETWEEN :first AND :last")
            .filter_expression("#expiresAt > :now")
            .expression_attribute_names("#pk", PK)
            .expression_attribute_names("#sk", SK)
            .expression_attribute_names("#expiresAt", EXPIRES_AT)
            .expression_attribute_values(":pk", string(&self.partition))
            .expression_attribute_values(":first", string(format!("{:016x}", self.range.first())))
            // The character after `#`, which separates the hash.
            .expression_attribute_values(":last", string(format!("{:016x}$", self.range.last())))
            .expression_attribute_values(":now", number(self.now.seconds()))
            .set_exclusive_start_key(self.start.clone())
            .set_limit(self.table.page_size)
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send();
        let output = timeout(PAGE_TIMEOUT, query).await.map_err(|_| TableError::TimedOut { operation: "Query" })?;
        let output = output.map_err(TableError::dynamo("Query"))?;
        let capacity = output.consumed_capacity().and_then(|capacity| capacity.capacity_units()).unwrap_or_default();
        let interests = output.items().iter().filter_map(read_or_warn).collect();
        self.start = output.last_evaluated_key;
        self.finished = self.start.as_ref().is_none_or(Item::is_empty);
        Ok(Some(InterestPage { interests, capacity }))
    }
}

/// Ignores foreign items, so that an item of another origin does not prevent the delivery to other connections.
fn read_or_warn(item: &Item) -> Option<Interest> {
    let interest = Interest::from_item(item);
    if interest.is_none() {
        let sort_key = item.get(SK).and_then(|value| AttributeValue::as_s(value).ok());
        tracing::warn!(sort_key, "ignored an interest item that is malformed");
    }
    interest
}

impl Table {
    /// Returns the partitions with the interests in a change of an entity of these types, in rounds. Partitions of one round
    /// can be read at the same time. A round is read after the previous one, at least up to the hashes that the caller
    /// evaluates. A connection may appear several times: if its filter names several of the types, if it kept them when its
    /// filter changed to every type, or if its filter changed during the read.
    ///
    /// Invariant: the order of the rounds finds a connection whose filter changes from one matching filter to another.
    /// - `*` is the first round. A connection that leaves `*` during its read has its types when they are read. A connection
    ///   that comes to `*` keeps its types ([`Table::subscribe`]). An event of one type finds it after any number of changes.
    /// - Several types are two rounds. A change from one type to another happens after the end of the first round or before
    ///   the beginning of the second. A second such change within the same read can undo this.
    ///
    /// This assumes that a transaction takes effect at one moment. Isolation between a transaction and a query is
    /// read-committed: a query during the milliseconds of a transaction may see only some of its items.
    /// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html>
    pub fn interests<'a>(
        &self,
        tenant: &Tenant,
        entity_types: impl IntoIterator<Item = &'a EntityType>,
        now: EpochMillis,
    ) -> Vec<Vec<InterestPages>> {
        self.interests_in(tenant, entity_types, HashRange::ALL, now)
    }

    /// Same as [`Table::interests`], for the hashes of one range. Disjoint ranges share no connection and no group, so they
    /// can be read at the same time and by different invocations.
    pub fn interests_in<'a>(
        &self,
        tenant: &Tenant,
        entity_types: impl IntoIterator<Item = &'a EntityType>,
        range: HashRange,
        now: EpochMillis,
    ) -> Vec<Vec<InterestPages>> {
        let mut types = Vec::new();
        for entity_type in entity_types {
            let scope = Scope::Type(entity_type.clone());
            if !types.contains(&scope) {
                types.push(scope);
            }
        }
        let pages = |scope: &Scope| InterestPages {
            table: self.clone(),
            partition: interest_partition(tenant, scope),
            range,
            now,
            start: None,
            finished: false,
        };
        let mut rounds = vec![vec![pages(&Scope::Every)]];
        // For a single type, a filter cannot change from one of the types to another.
        rounds.extend((0..types.len().min(2)).map(|_| types.iter().map(pages).collect()));
        rounds
    }
}
