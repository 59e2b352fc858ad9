//! Erases all states at once, for the local system. On AWS, an operator erases those of a tenant.

use aws_sdk_dynamodb::types::{DeleteRequest, WriteRequest};

use crate::error::HistoryError;
use crate::keys::{HistoryItem, PARTITION_KEY, SORT_KEY, is_of_state};
use crate::table::HistoryTable;
use crate::write::{BATCH, OPERATION};

impl HistoryTable {
    /// Erases the states of all entities of all tenants. No function may write states meanwhile. A table that does not exist has
    /// none.
    ///
    /// # Errors
    /// [`HistoryError::Dynamo`]. A part may be erased. Erasing again is safe.
    pub async fn erase_states(&self) -> Result<(), HistoryError> {
        let mut start = None;
        loop {
            let scan = self
                .client
                .scan()
                .table_name(&self.name)
                .projection_expression("#pk, #sk")
                .expression_attribute_names("#pk", PARTITION_KEY)
                .expression_attribute_names("#sk", SORT_KEY)
                .set_exclusive_start_key(start)
                .consistent_read(true);
            let output = match scan.send().await {
                Ok(output) => output,
                Err(error) if error.as_service_error().is_some_and(|e| e.is_resource_not_found_exception()) => {
                    return Ok(());
                }
                Err(error) => return Err(HistoryError::dynamo("Scan")(error)),
            };
            let keys: Vec<_> = output.items.unwrap_or_default().into_iter().filter(is_of_state).collect();
            for keys in keys.chunks(BATCH) {
                let deletes = keys.iter().map(delete).collect::<Result<_, _>>()?;
                self.write_all(deletes).await?;
            }
            start = output.last_evaluated_key;
            if start.is_none() {
                return Ok(());
            }
        }
    }
}

fn delete(key: &HistoryItem) -> Result<WriteRequest, HistoryError> {
    let delete =
        DeleteRequest::builder().set_key(Some(key.clone())).build().map_err(HistoryError::invalid(OPERATION))?;
    Ok(WriteRequest::builder().delete_request(delete).build())
}
