use crate::authorisation::Authorisation;
use crate::connection::Connection;
use crate::error::TableError;
use crate::interest::{interest_items, is_within_limit};
use crate::stored_connection::StoredConnection;
use crate::table::Table;

impl Table {
    /// Registers a connection with its first subscriptions. Every event after the return of this method finds the connection.
    ///
    /// The connection item is written before its interests. A missing connection therefore means that the connection has
    /// ended, and never that it is arriving.
    ///
    /// # Errors
    /// [`TableError::LimitExceeded`] if its interests would be too large; nothing is written. [`TableError::Dynamo`] or
    /// [`TableError::Unprocessed`]. Refuse the connection; the items that were written expire.
    pub async fn register(&self, connection: &Connection) -> Result<(), TableError> {
        let mut authorised = connection.clone();
        if !connection.authorisation.is_decided() {
            // It has no interests yet, but it will have them as soon as it has authenticated.
            authorised.authorisation = Authorisation::Open;
        }
        let authorised = StoredConnection::new(authorised, None);
        if !is_within_limit(&authorised, &interest_items(&authorised)) {
            return Err(TableError::LimitExceeded);
        }
        let group_hash = self.join_group(connection, connection.connected_at).await?;
        let stored = StoredConnection::new(connection.clone(), group_hash);
        let put = self.client.put_item().table_name(&self.name).set_item(Some(stored.to_item()));
        put.send().await.map_err(TableError::dynamo("PutItem"))?;
        self.put_all(interest_items(&stored)).await
    }
}
