use std::time::Duration;

use aws_sdk_dynamodb::types::{AttributeValue, ReturnConsumedCapacity};
use entity_stream_protocol::{ConnectionId, EntityType, EpochMillis, Format, GroupId, IdPattern, Tenant};

use tokio::time::timeout;

use crate::attributes::{
    CONNECTED_AT, EXPIRES_AT, FORMAT, GROUP, ID_PATTERN, Item, PK, SK, get_number, get_string, number, string,
};
use crate::authorisation::read_until;
use crate::connection::millis;
use crate::keys::{Scope, interest_partition};
use crate::{HashRange, Table, TableError};

/// How long one page may take. DynamoDB answers in milliseconds; what takes longer is better asked for again.
const PAGE_TIMEOUT: Duration = Duration::from_secs(5);

/// One connection's interest in what an event is about: all that its delivery needs to know.
#[derive(Clone, Debug)]
pub struct Interest {
    /// Whom to deliver to.
    pub connection_id: ConnectionId,
    /// The pattern that the entity id has to match, if any.
    pub id_pattern: Option<IdPattern>,
    /// How the event is to be written.
    pub format: Format,
    /// The consumer group, if it belongs to one.
    pub group: Option<GroupId>,
    /// When the connection was opened.
    pub connected_at: EpochMillis,
    /// When it stops being authorised, if it does before it ends. A renewal changes that: ask the connection itself
    /// before concluding from it.
    pub authorised_until: Option<EpochMillis>,
    pub(crate) key: (String, String),
}

impl Interest {
    /// Where it stands in its partition: a hash that its group, or else its connection, has everywhere.
    pub fn hash(&self) -> u64 {
        hash_of(&self.key.1).unwrap_or_default()
    }

    /// How old the connection is at `now`.
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

/// The hash that an interest's sort key begins with.
fn hash_of(sort_key: &str) -> Option<u64> {
    u64::from_str_radix(sort_key.split_once('#')?.0, 16).ok()
}

/// Some of the interests of one partition.
#[derive(Clone, Debug, Default)]
pub struct InterestPage {
    /// The interests that have not expired.
    pub interests: Vec<Interest>,
    /// The read capacity units that DynamoDB charged.
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
    /// Up to which hash the pages so far go; `None` when there are no more. What has just this hash may have been read
    /// in part.
    pub fn position(&self) -> Option<u64> {
        if self.finished {
            return None;
        }
        let last = self.start.as_ref().and_then(|key| hash_of(get_string(key, SK)?));
        Some(last.unwrap_or(self.range.first()).max(self.range.first()))
    }

    /// The next page, until there are no more. A page may be empty and yet not be the last.
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
            // The sign that comes after `#`, which follows the hash.
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

/// An item that this crate did not write must not keep an event from everybody else.
fn read_or_warn(item: &Item) -> Option<Interest> {
    let interest = Interest::from_item(item);
    if interest.is_none() {
        let sort_key = item.get(SK).and_then(|value| AttributeValue::as_s(value).ok());
        tracing::warn!(sort_key, "ignored an interest item that is malformed");
    }
    interest
}

impl Table {
    /// The partitions that hold the connections which may want a change of an entity of these types, in rounds. Those of a
    /// round can be read at the same time; a round comes after the one before it has been read, at least as far as the
    /// hashes of which something is to be concluded. A connection may appear several times: if its filter names several of
    /// the types, if it has wanted them before it came to want every type, or if its filter changed meanwhile.
    ///
    /// The order is what finds a connection whose filter is being changed, from one that matches to another that does:
    /// - `*` is the first round. A connection that leaves it while it is read has its types by the time that they are; one
    ///   that comes to it keeps its types ([`Table::subscribe`]). If the types are one, it is found however often it changes.
    /// - Several types are two rounds: a change from one to another has either not happened before the first is over, or has
    ///   before the second begins. A second such change within the same read can undo that.
    ///
    /// This takes a transaction for a single moment. Isolation between a transaction and a query is read-committed: one that
    /// comes in the milliseconds in which a transaction is being written may see some of its items and not others.
    /// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html>
    pub fn interests<'a>(
        &self,
        tenant: &Tenant,
        entity_types: impl IntoIterator<Item = &'a EntityType>,
        now: EpochMillis,
    ) -> Vec<Vec<InterestPages>> {
        self.interests_in(tenant, entity_types, HashRange::ALL, now)
    }

    /// The same, only as far as their hashes lie in this range. Disjoint ranges share no connection and no group, so they
    /// can be read at the same time, and by different invocations.
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
        // Of a single type there is no other to change to.
        rounds.extend((0..types.len().min(2)).map(|_| types.iter().map(pages).collect()));
        rounds
    }
}
