//! The definition of the table, as `template.yaml` creates it on AWS. The local system and the tests create it from here.

use std::time::Duration;

use aws_sdk_dynamodb::client::Waiters;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType, TimeToLiveSpecification,
};

use crate::attributes::{PARTITION_KEY, SORT_KEY, TTL_ATTRIBUTE};
use crate::error::TableError;
use crate::table::Table;

/// Longest time that a new table may take to become active.
const CREATION: Duration = Duration::from_secs(60);

impl Table {
    /// Creates the table with on-demand capacity and TTL unless it exists, and waits until it is active.
    ///
    /// # Errors
    /// [`TableError::Dynamo`] if DynamoDB refuses the request or cannot be reached.
    pub async fn create_if_missing(&self) -> Result<(), TableError> {
        let created = match self.client.describe_table().table_name(&self.name).send().await {
            Ok(_) => false,
            Err(error) if error.as_service_error().is_some_and(|e| e.is_resource_not_found_exception()) => {
                self.create().await?
            }
            Err(error) => return Err(TableError::dynamo("DescribeTable")(error)),
        };
        self.client.wait_until_table_exists().table_name(&self.name).wait(CREATION).await.map_err(|error| {
            TableError::Dynamo { operation: "DescribeTable", reason: error.to_string(), source: Box::new(error) }
        })?;
        if created {
            let ttl = TimeToLiveSpecification::builder().attribute_name(TTL_ATTRIBUTE).enabled(true).build();
            let update = self.client.update_time_to_live().table_name(&self.name);
            update
                .time_to_live_specification(ttl.map_err(TableError::invalid("UpdateTimeToLive"))?)
                .send()
                .await
                .map_err(TableError::dynamo("UpdateTimeToLive"))?;
        }
        Ok(())
    }

    /// Starts the creation of the table. `false` means that another process was faster. That process also enables TTL, which
    /// DynamoDB refuses to do twice.
    async fn create(&self) -> Result<bool, TableError> {
        let mut create = self.client.create_table().table_name(&self.name).billing_mode(BillingMode::PayPerRequest);
        for (name, key_type) in [(PARTITION_KEY, KeyType::Hash), (SORT_KEY, KeyType::Range)] {
            let attribute =
                AttributeDefinition::builder().attribute_name(name).attribute_type(ScalarAttributeType::S).build();
            let key = KeySchemaElement::builder().attribute_name(name).key_type(key_type).build();
            create = create
                .attribute_definitions(attribute.map_err(TableError::invalid("CreateTable"))?)
                .key_schema(key.map_err(TableError::invalid("CreateTable"))?);
        }
        match create.send().await {
            Ok(_) => Ok(true),
            Err(error) if error.as_service_error().is_some_and(|e| e.is_resource_in_use_exception()) => Ok(false),
            Err(error) => Err(TableError::dynamo("CreateTable")(error)),
        }
    }
}
