use aws_sdk_dynamodb::types::AttributeValue;
use entity_stream_protocol::{EpochMillis, Tenant};

use crate::attributes::{Item, SK, TENANT, string};
use crate::connection::Connection;
use crate::error::TableError;
use crate::keys::{CONNECTION_SORT_KEY, connection_id};
use crate::stored_connection::StoredConnection;
use crate::table::Table;

impl Table {
    /// All connections whose record has not expired at `now`, or those of one tenant, the oldest first.
    ///
    /// The method reads the whole table, interests included, and DynamoDB charges for that. It is for an operator. Deliveries
    /// never need it, and an index for it would cost a write for each connection.
    ///
    /// # Errors
    /// [`TableError::Dynamo`].
    pub async fn list(&self, tenant: Option<&Tenant>, now: EpochMillis) -> Result<Vec<Connection>, TableError> {
        let mut connections = Vec::new();
        let mut start: Option<Item> = None;
        loop {
            let scan = self.client.scan().table_name(&self.name).consistent_read(true).set_limit(self.page_size);
            let scan = scan.expression_attribute_names("#sk", SK);
            let scan = scan.expression_attribute_values(":sk", AttributeValue::S(CONNECTION_SORT_KEY.to_owned()));
            let scan = match tenant {
                None => scan.filter_expression("#sk = :sk"),
                Some(tenant) => scan
                    .filter_expression("#sk = :sk AND #tenant = :tenant")
                    .expression_attribute_names("#tenant", TENANT)
                    .expression_attribute_values(":tenant", string(tenant.as_str())),
            };
            let page = scan.set_exclusive_start_key(start).send().await.map_err(TableError::dynamo("Scan"))?;
            let found = page.items().iter().filter_map(|item| StoredConnection::from_item(&connection_id(item)?, item));
            let found = found.map(|stored| stored.connection);
            connections.extend(found.filter(|connection| connection.expires_at().seconds() > now.seconds()));
            start = page.last_evaluated_key.filter(|key| !key.is_empty());
            if start.is_none() {
                connections.sort_by(|a, b| (a.connected_at, &a.id).cmp(&(b.connected_at, &b.id)));
                return Ok(connections);
            }
        }
    }
}
