//! Reads the audience of an event.
//!
//! **Invariant.** A connection whose filter changes from one that matches the event to another that matches it is found,
//! although its items move between partitions during the read. The order of the reads gives this:
//!
//! - `*` is the first round, the event's types are the second. A connection that leaves `*` during the first round has its
//!   types before the second round begins. A connection that comes to `*` keeps its types ([`Table::subscribe`]). With one type,
//!   a connection is therefore found however often its filter changes.
//! - With several types, a third round reads the types again. A change from one type to another has happened either after the
//!   second round or before the third. A second change of that kind within the same read can undo this.
//!
//! The invariant assumes that a transaction takes effect at one moment. DynamoDB isolates a transaction from a query as
//! read-committed: a query in the milliseconds in which a transaction is written can see some of its items and not others.
//! <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html>

use std::time::Duration;

use aws_sdk_dynamodb::types::{AttributeValue, ReturnConsumedCapacity};
use entity_stream_protocol::{EntityType, EpochMillis, Tenant};
use tokio::time::timeout;

use crate::attributes::{EXPIRES_AT, Item, PK, SK, get_string, number, string};
use crate::error::TableError;
use crate::hash_range::HashRange;
use crate::interest::Interest;
use crate::keys::{Scope, interest_hash, interest_partition, interest_sort_keys};
use crate::table::Table;

/// Longest time for one page. DynamoDB answers within milliseconds; after this time a new request is more likely to succeed.
const PAGE_TIMEOUT: Duration = Duration::from_secs(5);

/// Some interests of one partition.
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
    /// The hash up to which the pages have been read; `None` after the last page. Interests with exactly this hash may have
    /// been read in part.
    pub fn position(&self) -> Option<u64> {
        if self.finished {
            return None;
        }
        let last = self.start.as_ref().and_then(|key| interest_hash(get_string(key, SK)?));
        Some(last.unwrap_or(self.range.first()).max(self.range.first()))
    }

    /// The next page; `None` after the last page. An empty page is not necessarily the last.
    ///
    /// # Errors
    /// [`TableError::Dynamo`] or [`TableError::TimedOut`]. The next call asks for the same page again.
    pub async fn next(&mut self) -> Result<Option<InterestPage>, TableError> {
        if self.finished {
            return Ok(None);
        }
        let (first, last) = interest_sort_keys(self.range);
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
            .expression_attribute_values(":first", string(first))
            .expression_attribute_values(":last", string(last))
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

/// Skips an item that this crate did not write, so that the event still reaches all other connections.
fn read_or_warn(item: &Item) -> Option<Interest> {
    let interest = Interest::from_item(item);
    if interest.is_none() {
        let sort_key = item.get(SK).and_then(|value| AttributeValue::as_s(value).ok());
        tracing::warn!(sort_key, "ignored a malformed interest item");
    }
    interest
}

impl Table {
    /// The partitions of the connections that may want a change of an entity of these types, in rounds.
    ///
    /// The partitions of one round can be read at the same time. Start a round when the round before it has been read, at
    /// least up to the hashes on which you act; the module explains the reason. A connection can appear several times: if its
    /// filter names several of the types, if it named a type before it wanted every type, or if its filter changes meanwhile.
    pub fn interests<'a>(
        &self,
        tenant: &Tenant,
        entity_types: impl IntoIterator<Item = &'a EntityType>,
        now: EpochMillis,
    ) -> Vec<Vec<InterestPages>> {
        self.interests_in(tenant, entity_types, HashRange::ALL, now)
    }

    /// The same for the hashes of one range. Disjoint ranges share no connection and no group, so they can be read at the same
    /// time and by different invocations.
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
        // A filter cannot change from a single type to another type of the event, so a single type is read once.
        rounds.extend((0..types.len().min(2)).map(|_| types.iter().map(pages).collect()));
        rounds
    }
}
