use entity_stream_protocol::{ConnectionId, EpochMillis};

use crate::connection::Connection;
use crate::error::TableError;
use crate::keys::connection_key;
use crate::stored_connection::StoredConnection;
use crate::table::Table;

impl Table {
    /// The connection with this id; `None` if it is not registered or its record has expired at `now`.
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
        let get = self.client.get_item().table_name(&self.name).set_key(Some(connection_key(id)));
        let output = get.consistent_read(true).send().await.map_err(TableError::dynamo("GetItem"))?;
        let stored = output.item().and_then(|item| StoredConnection::from_item(id, item));
        Ok(stored.filter(|stored| stored.connection.expires_at().seconds() > now.seconds()))
    }
}
