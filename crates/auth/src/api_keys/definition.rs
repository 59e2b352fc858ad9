//! The definition of the table, as `template.yaml` creates it on AWS. The local system and the tests create it from here.

use std::time::Duration;

use aws_sdk_dynamodb::client::Waiters;
use aws_sdk_dynamodb::types::{AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType};

use super::error::ApiKeyError;
use super::item::KEY_NAME;
use super::store::ApiKeys;

/// Longest time that a new table may take to become active.
const CREATION: Duration = Duration::from_secs(60);

impl ApiKeys {
    /// Creates the table with on-demand capacity unless it exists, and waits until it is active. The table has no TTL:
    /// expired keys stay listed until they are revoked.
    ///
    /// # Errors
    /// [`ApiKeyError::Dynamo`] if DynamoDB refuses the request or cannot be reached.
    pub async fn create_table_if_missing(&self) -> Result<(), ApiKeyError> {
        let attribute = AttributeDefinition::builder().attribute_name(KEY_NAME).attribute_type(ScalarAttributeType::S);
        let key = KeySchemaElement::builder().attribute_name(KEY_NAME).key_type(KeyType::Hash);
        let create = self.client.create_table().table_name(&self.table).billing_mode(BillingMode::PayPerRequest);
        let create = create
            .attribute_definitions(attribute.build().map_err(|error| ApiKeyError::invalid(&error))?)
            .key_schema(key.build().map_err(|error| ApiKeyError::invalid(&error))?);
        if let Err(error) = create.send().await
            && !error.as_service_error().is_some_and(|e| e.is_resource_in_use_exception())
        {
            return Err(ApiKeyError::dynamo(&error));
        }
        let active = self.client.wait_until_table_exists().table_name(&self.table).wait(CREATION).await;
        active.map(|_| ()).map_err(|error| ApiKeyError::Dynamo(error.to_string()))
    }
}
