use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::delete_item::DeleteItemError;
use aws_sdk_dynamodb::types::{DeleteRequest, PutRequest, ReturnValue, WriteRequest};
use backon::{BackoffBuilder, ExponentialBuilder};
use entity_stream_protocol::{ConnectionId, EpochMillis, Tenant};
use tokio::time::sleep;

use crate::attributes::{Item, PK, SK, string};
use crate::connection::{StoredConnection, interest_item};
use crate::keys::{connection_key, interest_key};
use crate::{Connection, Interest, TableError};

/// The largest number of writes in one `BatchWriteItem`.
const BATCH: usize = 25;
/// The largest number of attempts at a write that DynamoDB leaves unprocessed, or refuses because of a transaction.
const ATTEMPTS: usize = 8;

/// The table of connections and interests.
#[derive(Clone, Debug)]
pub struct Table {
    pub(crate) client: Client,
    pub(crate) name: String,
    pub(crate) page_size: Option<i32>,
}

impl Table {
    /// The table of this name, accessed through this client.
    pub fn new(client: Client, name: impl Into<String>) -> Self {
        Self { client, name: name.into(), page_size: None }
    }

    /// Reads interests in pages of this many items. DynamoDB's own limit of 1 MB may end a page earlier.
    #[must_use]
    pub fn with_page_size(mut self, items: i32) -> Self {
        self.page_size = Some(items);
        self
    }

    /// The table's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Registers a connection with its first filter. Once this has returned, no later event misses the connection.
    ///
    /// The connection item is written before its interests. An interest without a connection therefore belongs to a connection
    /// that has ended, and not to one that is arriving.
    ///
    /// # Errors
    /// [`TableError::Dynamo`] or [`TableError::Unprocessed`]: refuse the connection. The written items expire.
    pub async fn register(&self, connection: &Connection) -> Result<(), TableError> {
        let stored = StoredConnection::new(connection.clone());
        self.client
            .put_item()
            .table_name(&self.name)
            .set_item(Some(stored.to_item()))
            .send()
            .await
            .map_err(TableError::dynamo("PutItem"))?;
        let interests = stored.stored_scopes().into_iter().map(|scope| {
            let put = PutRequest::builder().set_item(Some(interest_item(connection, &scope))).build();
            put.map(|put| WriteRequest::builder().put_request(put).build())
        });
        let interests = interests.collect::<Result<Vec<_>, _>>().map_err(invalid("BatchWriteItem"))?;
        self.write_all(interests).await
    }

    /// Reads a registered connection, unless its record has expired at `now`.
    ///
    /// # Errors
    /// [`TableError::Dynamo`].
    pub async fn find(&self, id: &ConnectionId, now: EpochMillis) -> Result<Option<Connection>, TableError> {
        Ok(self.find_stored(id, now).await?.map(|stored| stored.connection))
    }

    pub(crate) async fn find_stored(
        &self,
        id: &ConnectionId,
        now: EpochMillis,
    ) -> Result<Option<StoredConnection>, TableError> {
        let output = self
            .client
            .get_item()
            .table_name(&self.name)
            .set_key(Some(connection_key(id)))
            .consistent_read(true)
            .send()
            .await
            .map_err(TableError::dynamo("GetItem"))?;
        let stored = output.item().and_then(|item| StoredConnection::from_item(id, item));
        Ok(stored.filter(|stored| stored.connection.expires_at().seconds() > now.seconds()))
    }

    /// Removes a connection and its interests, and returns its tenant. Does nothing if the connection is not registered, so
    /// the call can be repeated.
    ///
    /// The connection item is removed first. From then on no `subscribe` succeeds, and the item has listed all interests.
    ///
    /// # Errors
    /// [`TableError::Dynamo`] or [`TableError::Unprocessed`]. The first event that reads
    /// remaining interests removes them; otherwise they expire.
    pub async fn forget(&self, id: &ConnectionId) -> Result<Option<Tenant>, TableError> {
        let item = self.delete_connection(id).await?;
        let Some(stored) = item.and_then(|item| StoredConnection::from_item(id, &item)) else {
            return Ok(None);
        };
        let (tenant, group) = (&stored.connection.tenant, stored.connection.group.as_ref());
        let keys = stored.stored_scopes().into_iter().map(|scope| interest_key(tenant, &scope, id, group));
        self.delete_all(keys).await?;
        Ok(Some(stored.connection.tenant))
    }

    /// Removes an ended connection that an event found through this interest. Removes the items of [`Table::forget`] and the
    /// interest itself, which is an orphan if an earlier removal was interrupted.
    ///
    /// # Errors
    /// As [`Table::forget`].
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
                // A concurrent `subscribe` of the same connection causes this error. The SDK does not retry it.
                Err(error) if is_conflict(&error) => match delays.next() {
                    Some(delay) => sleep(delay).await,
                    None => return Err(TableError::dynamo("DeleteItem")(error)),
                },
                Err(error) => return Err(TableError::dynamo("DeleteItem")(error)),
            }
        }
    }

    async fn delete_all(&self, keys: impl IntoIterator<Item = Item>) -> Result<(), TableError> {
        let deletes = keys.into_iter().map(|key| {
            let delete = DeleteRequest::builder().set_key(Some(key)).build();
            delete.map(|delete| WriteRequest::builder().delete_request(delete).build())
        });
        let deletes = deletes.collect::<Result<Vec<_>, _>>().map_err(invalid("BatchWriteItem"))?;
        self.write_all(deletes).await
    }

    async fn write_all(&self, mut writes: Vec<WriteRequest>) -> Result<(), TableError> {
        let mut delays = delays(ATTEMPTS - 1);
        while !writes.is_empty() {
            let rest = writes.split_off(writes.len().min(BATCH));
            let output = self
                .client
                .batch_write_item()
                .request_items(&self.name, writes)
                .send()
                .await
                .map_err(TableError::dynamo("BatchWriteItem"))?;
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

fn is_conflict(error: &SdkError<DeleteItemError>) -> bool {
    error.as_service_error().is_some_and(DeleteItemError::is_transaction_conflict_exception)
}

/// The waits between attempts at requests that the SDK does not retry by itself.
pub(crate) fn delays(attempts: usize) -> impl Iterator<Item = Duration> {
    ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(10))
        .with_max_delay(Duration::from_millis(640))
        .with_jitter()
        .with_max_times(attempts)
        .build()
}

pub(crate) fn invalid(operation: &'static str) -> impl Fn(aws_sdk_dynamodb::error::BuildError) -> TableError {
    move |error| TableError::Dynamo { operation, reason: error.to_string(), source: Box::new(error) }
}
