use aws_sdk_dynamodb::types::{DeleteRequest, PutRequest, WriteRequest};
use tokio::time::sleep;

use crate::attributes::Item;
use crate::backoff::delays;
use crate::error::TableError;
use crate::table::Table;

const OPERATION: &str = "BatchWriteItem";
/// Most writes that `BatchWriteItem` takes at once.
const BATCH: usize = 25;
/// Most times that DynamoDB may leave writes unprocessed.
const ATTEMPTS: usize = 8;

impl Table {
    pub(crate) async fn put_all(&self, items: impl IntoIterator<Item = Item>) -> Result<(), TableError> {
        let puts = items.into_iter().map(|item| {
            let put = PutRequest::builder().set_item(Some(item)).build();
            put.map(|put| WriteRequest::builder().put_request(put).build())
        });
        self.write_all(puts.collect::<Result<_, _>>().map_err(TableError::invalid(OPERATION))?).await
    }

    pub(crate) async fn delete_all(&self, keys: impl IntoIterator<Item = Item>) -> Result<(), TableError> {
        let deletes = keys.into_iter().map(|key| {
            let delete = DeleteRequest::builder().set_key(Some(key)).build();
            delete.map(|delete| WriteRequest::builder().delete_request(delete).build())
        });
        self.write_all(deletes.collect::<Result<_, _>>().map_err(TableError::invalid(OPERATION))?).await
    }

    async fn write_all(&self, mut writes: Vec<WriteRequest>) -> Result<(), TableError> {
        let mut delays = delays(ATTEMPTS - 1);
        while !writes.is_empty() {
            let rest = writes.split_off(writes.len().min(BATCH));
            let request = self.client.batch_write_item().request_items(&self.name, writes);
            let output = request.send().await.map_err(TableError::dynamo(OPERATION))?;
            let mut unprocessed = output.unprocessed_items.unwrap_or_default().remove(&self.name).unwrap_or_default();
            if !unprocessed.is_empty() {
                match delays.next() {
                    Some(delay) => sleep(delay).await,
                    None => return Err(TableError::Unprocessed(unprocessed.len() + rest.len())),
                }
            }
            unprocessed.extend(rest);
            writes = unprocessed;
        }
        Ok(())
    }
}
