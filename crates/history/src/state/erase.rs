//! Erases entities before their time. Only an operator's command does: the functions may not delete items.
//!
//! An attempt to deliver writes the index of a new entity before its state. So an index item that is erased between the two would
//! be missing. [`StateTable::restore_index`] repairs that, if it comes later than such an attempt can last.

use aws_sdk_dynamodb::types::{DeleteRequest, ReturnValue, WriteRequest};
use entity_stream_protocol::{EntityTypes, Tenant};

use super::entity_item::{INDEXED_UNTIL, TYPES};
use super::entity_key::EntityKey;
use super::index::IndexPlace;
use super::table::StateTable;
use crate::error::HistoryError;
use crate::keys::{
    HistoryItem, PARTITION_KEY, SORT_KEY, get_number, get_string, hash, index_key, index_partition, state_partition,
    string,
};

/// The sort keys of a partition, in pages.
struct SortKeys {
    keys: Vec<String>,
    next: Option<String>,
}

impl StateTable {
    /// The keys of all items with the state of this id, one for each service path. Those that are forgotten and not deleted yet are
    /// among them.
    ///
    /// # Errors
    /// [`HistoryError::Dynamo`].
    pub async fn keys_of_id(&self, tenant: &Tenant, entity_id: &str) -> Result<Vec<EntityKey>, HistoryError> {
        let entity = hash(entity_id);
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let SortKeys { keys, next } = self.sort_keys(state_partition(tenant, &entity), after).await?;
            found.extend(keys.iter().filter_map(|path| EntityKey::of_index(tenant, &format!("{entity}{path}"))));
            match next {
                Some(next) => after = Some(next),
                None => return Ok(found),
            }
        }
    }

    /// Some keys of the tenant's index, those of forgotten entities included, and where the list goes on.
    ///
    /// # Errors
    /// [`HistoryError::Dynamo`].
    pub async fn keys_of_tenant(
        &self,
        tenant: &Tenant,
        after: Option<IndexPlace>,
    ) -> Result<(Vec<EntityKey>, Option<IndexPlace>), HistoryError> {
        let SortKeys { keys, next } =
            self.sort_keys(index_partition(tenant, None), after.map(|IndexPlace(place)| place)).await?;
        Ok((keys.iter().filter_map(|key| EntityKey::of_index(tenant, key)).collect(), next.map(IndexPlace)))
    }

    /// Erases the state of an entity, and then its index items. Index items of types that the entity had before stay until they
    /// expire; they hold only hashes. Returns whether there was a state.
    ///
    /// An entity that comes back begins with a greater version: the first version is the time.
    ///
    /// # Errors
    /// [`HistoryError::Dynamo`]. A part may be erased, the state first. Erasing again is safe.
    pub async fn erase(&self, key: &EntityKey) -> Result<bool, HistoryError> {
        let delete = self.client.delete_item().table_name(&self.name).set_key(Some(key.item_key()));
        let deleted = delete.return_values(ReturnValue::AllOld).send().await;
        let item = deleted.map_err(HistoryError::dynamo("DeleteItem"))?.attributes;
        self.erase_index(key, item.as_ref().and_then(types)).await?;
        Ok(item.is_some())
    }

    /// Writes the index items of an entity whose state was written again while [`StateTable::erase`] erased it. Call it when the
    /// time of [`Timing::write`](crate::Timing::write) has passed since. Returns whether there is a state again.
    ///
    /// # Errors
    /// [`HistoryError::Dynamo`].
    pub async fn restore_index(&self, key: &EntityKey) -> Result<bool, HistoryError> {
        let get = self.client.get_item().table_name(&self.name).set_key(Some(key.item_key())).consistent_read(true);
        let Some(item) = get.send().await.map_err(HistoryError::dynamo("GetItem"))?.item else { return Ok(false) };
        if let (Some(types), Some(until)) = (types(&item), get_number(&item, INDEXED_UNTIL)) {
            self.write_index(key, &types, until).await?;
        }
        Ok(true)
    }

    async fn erase_index(&self, key: &EntityKey, types: Option<EntityTypes>) -> Result<(), HistoryError> {
        const OPERATION: &str = "BatchWriteItem";
        let mut writes = Vec::new();
        let mut names: Vec<_> = types.iter().flat_map(EntityTypes::iter).map(|each| Some(each.as_str())).collect();
        names.push(None);
        names.sort_unstable();
        names.dedup();
        for name in names {
            let item = index_key(&key.tenant, name, &key.sort_key());
            let delete = DeleteRequest::builder().set_key(Some(item)).build();
            let delete = delete.map_err(HistoryError::invalid(OPERATION))?;
            writes.push(WriteRequest::builder().delete_request(delete).build());
        }
        self.write_batches(OPERATION, writes).await
    }

    /// A page of the sort keys of a partition.
    async fn sort_keys(&self, partition: String, after: Option<String>) -> Result<SortKeys, HistoryError> {
        let start = after.map(|after| {
            HistoryItem::from([
                (PARTITION_KEY.to_owned(), string(partition.clone())),
                (SORT_KEY.to_owned(), string(after)),
            ])
        });
        let query = self
            .client
            .query()
            .table_name(&self.name)
            .key_condition_expression("#pk = :pk")
            .projection_expression("#sk")
            .expression_attribute_names("#pk", PARTITION_KEY)
            .expression_attribute_names("#sk", SORT_KEY)
            .expression_attribute_values(":pk", string(partition))
            .set_exclusive_start_key(start)
            .consistent_read(true);
        let output = query.send().await.map_err(HistoryError::dynamo("Query"))?;
        let sort_key = |item: &HistoryItem| get_string(item, SORT_KEY).map(str::to_owned);
        let keys = output.items.as_deref().unwrap_or_default().iter().filter_map(sort_key).collect();
        Ok(SortKeys { keys, next: output.last_evaluated_key.as_ref().and_then(sort_key) })
    }
}

/// The types of an entity.
fn types(item: &HistoryItem) -> Option<EntityTypes> {
    serde_json::from_str(get_string(item, TYPES)?).ok()
}
