use crate::connection::Connection;
use crate::error::TableError;
use crate::interest::{interest_item, is_within_limit};
use crate::stored_connection::StoredConnection;
use crate::table::Table;

impl Table {
    /// Registers a connection with its first filter. Every event after the return of this method finds the connection.
    ///
    /// The connection item is written before its interests. A missing connection therefore means that the connection has
    /// ended, and never that it is arriving.
    ///
    /// # Errors
    /// [`TableError::LimitExceeded`] if its interests would be too large; nothing is written. [`TableError::Dynamo`] or
    /// [`TableError::Unprocessed`]. Refuse the connection; the items that were written expire.
    pub async fn register(&self, connection: &Connection) -> Result<(), TableError> {
        let group_hash = self.join_group(connection, connection.connected_at).await?;
        let stored = StoredConnection::new(connection.clone(), group_hash);
        let interests: Vec<_> = stored.interest_scopes().iter().map(|scope| interest_item(&stored, scope)).collect();
        if !is_within_limit(&interests) {
            return Err(TableError::LimitExceeded);
        }
        let put = self.client.put_item().table_name(&self.name).set_item(Some(stored.to_item()));
        put.send().await.map_err(TableError::dynamo("PutItem"))?;
        self.put_all(interests).await
    }
}
