//! The usual design, to compare with: an item for each connection, with its filter, and a global secondary index on the
//! tenant. An event reads all of the tenant's connections and keeps those that want it.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{
    AttributeValue, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection, ProjectionType,
    PutRequest, ReturnConsumedCapacity, WriteRequest,
};

use crate::engine::{string_attribute, text};
use crate::{OTHER, WANTED, connection_id};

const TABLE: &str = "connections-by-tenant";
const INDEX: &str = "tenant";
const BATCH: usize = 25;

pub(crate) struct ByTenant(Client);

impl ByTenant {
    pub(crate) async fn create(client: Client) -> Self {
        let hash =
            |name: &str| KeySchemaElement::builder().attribute_name(name).key_type(KeyType::Hash).build().unwrap();
        let index = GlobalSecondaryIndex::builder()
            .index_name(INDEX)
            .key_schema(hash("tenant"))
            .projection(Projection::builder().projection_type(ProjectionType::All).build())
            .build()
            .unwrap();
        client
            .create_table()
            .table_name(TABLE)
            .billing_mode(BillingMode::PayPerRequest)
            .set_attribute_definitions(Some(["connectionId", "tenant"].map(string_attribute).to_vec()))
            .key_schema(hash("connectionId"))
            .global_secondary_indexes(index)
            .send()
            .await
            .unwrap();
        Self(client)
    }

    pub(crate) async fn register(&self, tenant: &str, connections: usize, matching: usize) {
        let writes: Vec<WriteRequest> = (0..connections)
            .map(|i| {
                let entity_type = if i < matching { WANTED } else { OTHER };
                let number = |value: u64| AttributeValue::N(value.to_string());
                let put = PutRequest::builder()
                    .item("connectionId", text(connection_id(tenant, i)))
                    .item("tenant", text(tenant))
                    .item("entityTypes", AttributeValue::L(vec![text(entity_type)]))
                    .item("format", text("json"))
                    .item("connectedAt", number(1_767_323_045_000))
                    .item("expiresAt", number(1_767_330_245));
                WriteRequest::builder().put_request(put.build().unwrap()).build()
            })
            .collect();
        for batch in writes.chunks(BATCH) {
            let output = self.0.batch_write_item().request_items(TABLE, batch.to_vec()).send().await.unwrap();
            assert!(output.unprocessed_items().is_none_or(|items| items.is_empty()));
        }
    }

    /// The number of matching connections, and the read units.
    pub(crate) async fn find(&self, tenant: &str) -> (usize, f64) {
        let (mut found, mut units, mut start) = (0, 0.0, None);
        loop {
            let query = self.0.query().table_name(TABLE).index_name(INDEX).key_condition_expression("tenant = :tenant");
            let query = query.expression_attribute_values(":tenant", text(tenant)).set_exclusive_start_key(start);
            let page = query.return_consumed_capacity(ReturnConsumedCapacity::Total).send().await.unwrap();
            let wanted = |types: &AttributeValue| types.as_l().is_ok_and(|types| types.contains(&text(WANTED)));
            found += page.items().iter().filter(|item| wanted(&item["entityTypes"])).count();
            units += page.consumed_capacity().unwrap().capacity_units().unwrap();
            start = page.last_evaluated_key;
            if start.is_none() {
                return (found, units);
            }
        }
    }
}
