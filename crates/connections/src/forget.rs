//! Removes a connection and its interests.
//!
//! **Invariant.** The connection item goes first. After that no `subscribe` succeeds, so the interests that the item listed
//! are all interests that exist. A removal that is interrupted leaves interests without a connection; the next event that
//! finds one of them removes it, and all of them expire.

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::delete_item::DeleteItemError;
use aws_sdk_dynamodb::types::ReturnValue;
use entity_stream_protocol::{ConnectionId, Tenant};
use tokio::time::sleep;

use crate::attributes::{Item, PK, SK, string};
use crate::backoff::delays;
use crate::error::TableError;
use crate::interest::Interest;
use crate::keys::connection_key;
use crate::stored_connection::StoredConnection;
use crate::table::Table;

/// Most attempts at a delete that DynamoDB refuses because of a transaction.
const ATTEMPTS: usize = 8;

impl Table {
    /// Removes a connection and its interests, frees its slot, and returns its tenant; `None` if the connection is not registered. The
    /// method can be repeated.
    ///
    /// # Errors
    /// [`TableError::Dynamo`] or [`TableError::Unprocessed`]. The first event that finds a remaining interest removes it, or
    /// it expires.
    pub async fn forget(&self, id: &ConnectionId) -> Result<Option<Tenant>, TableError> {
        let item = self.delete_connection(id).await?;
        let Some(stored) = item.and_then(|item| StoredConnection::from_item(id, &item)) else {
            return Ok(None);
        };
        self.delete_all(stored.interest_keys()).await?;
        if let Some(slot) = stored.connection.slot() {
            self.free_slot(&slot).await?;
        }
        Ok(Some(stored.connection.tenant))
    }

    /// Removes a connection that has ended, found through one of its interests. Besides the items that [`Table::forget`]
    /// removes, this removes the interest itself, which has no connection if an earlier removal was interrupted.
    ///
    /// # Errors
    /// As for [`Table::forget`].
    pub async fn forget_gone(&self, interest: &Interest) -> Result<(), TableError> {
        self.forget(&interest.connection_id).await?;
        let (pk, sk) = &interest.key;
        self.delete_all([Item::from([(PK.to_owned(), string(pk)), (SK.to_owned(), string(sk))])]).await
    }

    /// Deletes a connection item and returns it.
    async fn delete_connection(&self, id: &ConnectionId) -> Result<Option<Item>, TableError> {
        let mut delays = delays(ATTEMPTS - 1);
        loop {
            let delete = self.client.delete_item().table_name(&self.name).set_key(Some(connection_key(id)));
            match delete.return_values(ReturnValue::AllOld).send().await {
                Ok(output) => return Ok(output.attributes),
                // A `subscribe` of the same connection is in progress. The SDK does not retry this error.
                Err(error) if is_conflict(&error) => match delays.next() {
                    Some(delay) => sleep(delay).await,
                    None => return Err(TableError::dynamo("DeleteItem")(error)),
                },
                Err(error) => return Err(TableError::dynamo("DeleteItem")(error)),
            }
        }
    }
}

fn is_conflict(error: &SdkError<DeleteItemError>) -> bool {
    error.as_service_error().is_some_and(DeleteItemError::is_transaction_conflict_exception)
}
