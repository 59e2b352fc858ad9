//! The definition of the table, as `template.yaml` creates it on AWS. The local system and the tests create it from here.

use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType, TimeToLiveSpecification,
};

use crate::error::HistoryError;
use crate::keys::{PARTITION_KEY, SORT_KEY, TTL_ATTRIBUTE};
use crate::table::HistoryTable;

impl HistoryTable {
    /// Creates the table with on-demand capacity and TTL unless it exists. Returns whether it is new.
    ///
    /// # Errors
    /// [`HistoryError::Dynamo`] if DynamoDB refuses the request or cannot be reached.
    pub async fn create_if_missing(&self) -> Result<bool, HistoryError> {
        const CREATE: &str = "CreateTable";
        let mut create = self.client.create_table().table_name(&self.name).billing_mode(BillingMode::PayPerRequest);
        for (name, key_type) in [(PARTITION_KEY, KeyType::Hash), (SORT_KEY, KeyType::Range)] {
            let attribute =
                AttributeDefinition::builder().attribute_name(name).attribute_type(ScalarAttributeType::S).build();
            let key = KeySchemaElement::builder().attribute_name(name).key_type(key_type).build();
            create = create
                .attribute_definitions(attribute.map_err(HistoryError::invalid(CREATE))?)
                .key_schema(key.map_err(HistoryError::invalid(CREATE))?);
        }
        match create.send().await {
            Ok(_) => {}
            Err(error) if error.as_service_error().is_some_and(|e| e.is_resource_in_use_exception()) => {
                return Ok(false);
            }
            Err(error) => return Err(HistoryError::dynamo(CREATE)(error)),
        }
        let ttl = TimeToLiveSpecification::builder().attribute_name(TTL_ATTRIBUTE).enabled(true).build();
        let update = self.client.update_time_to_live().table_name(&self.name);
        let ttl = ttl.map_err(HistoryError::invalid("UpdateTimeToLive"))?;
        update.time_to_live_specification(ttl).send().await.map_err(HistoryError::dynamo("UpdateTimeToLive"))?;
        Ok(true)
    }
}
