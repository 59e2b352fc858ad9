//! Reads the audience of an event: the partition of everything, those of its types and that of its id, all at once.
//!
//! A subscription that changes during the read can be missed, although both its filters match: its items move from a partition
//! that is read later to one that was read before. The server replays the moment of such a change from the history.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_dynamodb::types::{AttributeValue, ReturnConsumedCapacity};
use entity_stream_protocol::{EntityType, EpochMillis, Tenant};
use tokio::time::timeout;

use crate::attributes::{EXPIRES_AT, Item, PK, SK, get_string, number, string};
use crate::error::TableError;
use crate::hash_range::HashRange;
use crate::interest::Interest;
use crate::keys::{Scope, id_partition, interest_hash, interest_partition, interest_sort_keys};
use crate::table::Table;

/// Longest time for one page. DynamoDB answers within milliseconds; after this time a new request is more likely to succeed.
const PAGE_TIMEOUT: Duration = Duration::from_secs(5);

/// Some interests of one partition.
#[derive(Clone, Debug, Default)]
pub struct InterestPage {
    /// The interests that have not expired.
    pub interests: Vec<Interest>,
    /// The entity that all of them are about; `None` if they are about types or everything.
    pub entity_id: Option<Arc<str>>,
    /// The read capacity units that DynamoDB charged.
    pub capacity: f64,
}

/// The interests of one partition, read page by page with strong consistency.
#[derive(Debug)]
pub struct InterestPages {
    table: Table,
    partition: String,
    entity_id: Option<Arc<str>>,
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
        Ok(Some(InterestPage { interests, entity_id: self.entity_id.clone(), capacity }))
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
    /// The partitions of the connections that may want changes of entities of these types, with one of these ids each. They can
    /// be read at the same time. A connection appears several times if its subscriptions have several of the scopes, or if they
    /// change meanwhile.
    pub fn interests<'a>(
        &self,
        tenant: &Tenant,
        entity_types: impl IntoIterator<Item = &'a EntityType>,
        entity_ids: impl IntoIterator<Item = &'a str>,
        now: EpochMillis,
    ) -> Vec<InterestPages> {
        self.interests_in(tenant, entity_types, entity_ids, HashRange::ALL, now)
    }

    /// The same for the hashes of one range. Disjoint ranges share no connection and no group, so they can be read at the same
    /// time and by different invocations.
    pub fn interests_in<'a>(
        &self,
        tenant: &Tenant,
        entity_types: impl IntoIterator<Item = &'a EntityType>,
        entity_ids: impl IntoIterator<Item = &'a str>,
        range: HashRange,
        now: EpochMillis,
    ) -> Vec<InterestPages> {
        let types: BTreeSet<Scope> = entity_types.into_iter().cloned().map(Scope::Type).collect();
        let ids: BTreeSet<&str> = entity_ids.into_iter().collect();
        let pages = |partition: String, entity_id: Option<Arc<str>>| InterestPages {
            table: self.clone(),
            partition,
            entity_id,
            range,
            now,
            start: None,
            finished: false,
        };
        let of_types = types.iter().map(|scope| pages(interest_partition(tenant, scope), None));
        let of_ids = ids.into_iter().map(|id| pages(id_partition(tenant, id), Some(Arc::from(id))));
        let every = pages(interest_partition(tenant, &Scope::Every), None);
        std::iter::once(every).chain(of_types).chain(of_ids).collect()
    }
}
