//! The entities of each type, and of each tenant. An index item has no data, only hashes that lead to the state of its entity. It is
//! written before the state, and is not removed with the entity: a state that is gone is passed over.

use std::time::Duration;

use aws_sdk_dynamodb::types::{AttributeValue, PutRequest, WriteRequest};
use backon::{BackoffBuilder, ExponentialBuilder};
use entity_stream_protocol::{EntityTypes, EpochMillis, Tenant};
use tokio::time::sleep;

use super::entity_key::EntityKey;
use super::table::StateTable;
use crate::error::HistoryError;
use crate::keys::{
    HASH_LENGTH, HistoryItem, PARTITION_KEY, SORT_KEY, TTL_ATTRIBUTE, get_number, get_string, index_key,
    index_partition, number, string,
};

/// A place in the list of a type's entities: after this one. It is text that clients may keep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexPlace(pub String);

impl IndexPlace {
    /// The place behind an entity.
    pub fn after(key: &EntityKey) -> Self {
        Self(key.sort_key())
    }

    /// Returns whether the text can be a place.
    pub fn is_valid(&self) -> bool {
        let is_digit = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        self.0.len() == 2 * HASH_LENGTH && self.0.bytes().all(is_digit)
    }
}

/// Some entities of a type.
#[derive(Debug)]
pub struct IndexPage {
    /// The keys of the entities. Some may be gone.
    pub keys: Vec<EntityKey>,
    /// The place at which the list goes on. `None` at its end.
    pub next: Option<IndexPlace>,
}

impl StateTable {
    /// Lists entities of a type, or all of the tenant without one, at most `limit`.
    ///
    /// # Errors
    /// [`HistoryError::Dynamo`].
    pub async fn list(
        &self,
        tenant: &Tenant,
        entity_type: Option<&str>,
        after: Option<&IndexPlace>,
        (limit, now): (i32, EpochMillis),
    ) -> Result<IndexPage, HistoryError> {
        let partition = index_partition(tenant, entity_type);
        let start = after.map(|IndexPlace(place)| {
            HistoryItem::from([
                (PARTITION_KEY.to_owned(), string(partition.clone())),
                (SORT_KEY.to_owned(), string(place.clone())),
            ])
        });
        let query = self
            .client
            .query()
            .table_name(&self.name)
            .key_condition_expression("#pk = :pk")
            .expression_attribute_names("#pk", PARTITION_KEY)
            .expression_attribute_values(":pk", AttributeValue::S(partition))
            .set_exclusive_start_key(start)
            .limit(limit)
            .consistent_read(true);
        let output = query.send().await.map_err(HistoryError::dynamo("Query"))?;
        let is_alive = |item: &&HistoryItem| get_number(item, TTL_ATTRIBUTE).is_none_or(|until| until > now.seconds());
        let items = output.items.as_deref().unwrap_or_default().iter().filter(is_alive);
        let keys = items.filter_map(|item| EntityKey::of_index(tenant, get_string(item, SORT_KEY)?)).collect();
        let last = output.last_evaluated_key.as_ref().and_then(|key| get_string(key, SORT_KEY));
        Ok(IndexPage { keys, next: last.map(|last| IndexPlace(last.to_owned())) })
    }

    /// Writes an entity into the index of its types and of its tenant. The items stay until this time, in seconds since 1970.
    pub(super) async fn write_index(
        &self,
        key: &EntityKey,
        types: &EntityTypes,
        until: u64,
    ) -> Result<(), HistoryError> {
        const OPERATION: &str = "BatchWriteItem";
        let mut writes = Vec::new();
        let mut names: Vec<Option<&str>> = types.iter().map(|each| Some(each.as_str())).collect();
        names.push(None);
        names.sort_unstable();
        names.dedup();
        for name in names {
            let mut item = index_key(&key.tenant, name, &key.sort_key());
            item.insert(TTL_ATTRIBUTE.to_owned(), number(until));
            let put = PutRequest::builder().set_item(Some(item)).build().map_err(HistoryError::invalid(OPERATION))?;
            writes.push(WriteRequest::builder().put_request(put).build());
        }
        self.write_batches(OPERATION, writes).await
    }

    pub(super) async fn write_batches(
        &self,
        operation: &'static str,
        mut writes: Vec<WriteRequest>,
    ) -> Result<(), HistoryError> {
        let mut delays = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(20))
            .with_jitter()
            .without_max_times()
            .build();
        while !writes.is_empty() {
            // An entity has at most 50 types, and DynamoDB takes 25 writes at once.
            let rest = writes.split_off(writes.len().min(25));
            let request = self.client.batch_write_item().request_items(&self.name, writes);
            let output = request.send().await.map_err(HistoryError::dynamo(operation))?;
            writes = output.unprocessed_items.unwrap_or_default().into_values().flatten().collect();
            if !writes.is_empty() {
                sleep(delays.next().unwrap_or_default()).await;
            }
            writes.extend(rest);
        }
        Ok(())
    }
}
