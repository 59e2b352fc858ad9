//! Checks that the embedded engine counts as DynamoDB does.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType, ReturnConsumedCapacity,
    ScalarAttributeType,
};

const TABLE: &str = "check";

/// Ten items of 1,000 bytes. Names and texts count with their length in UTF-8. The sizes of a query's items are added up and
/// then rounded up to 4 KB.
/// Source: "DynamoDB item sizes and formats" and "Capacity unit consumption for Query", Amazon DynamoDB Developer Guide.
pub(crate) async fn check(client: &Client) {
    let key =
        |name: &str, key_type| KeySchemaElement::builder().attribute_name(name).key_type(key_type).build().unwrap();
    client
        .create_table()
        .table_name(TABLE)
        .billing_mode(BillingMode::PayPerRequest)
        .set_attribute_definitions(Some(["p", "s"].map(string_attribute).to_vec()))
        .set_key_schema(Some(vec![key("p", KeyType::Hash), key("s", KeyType::Range)]))
        .send()
        .await
        .unwrap();
    for i in 0..10 {
        // Two names of one byte, values of one byte each, a name of one byte and its text.
        let put = client.put_item().table_name(TABLE).item("p", text("p")).item("s", text(i.to_string()));
        put.item("t", text("x".repeat(1000 - 5))).send().await.unwrap();
    }
    for (consistent, units) in [(true, 3.0), (false, 1.5)] {
        let query = client.query().table_name(TABLE).consistent_read(consistent).key_condition_expression("p = :p");
        let query = query.expression_attribute_values(":p", text("p"));
        let output = query.return_consumed_capacity(ReturnConsumedCapacity::Total).send().await.unwrap();
        assert_eq!(
            output.consumed_capacity().unwrap().capacity_units(),
            Some(units),
            "10,000 bytes are three times 4 KB"
        );
    }
}

pub(crate) fn string_attribute(name: &str) -> AttributeDefinition {
    let attribute = AttributeDefinition::builder().attribute_name(name);
    attribute.attribute_type(ScalarAttributeType::S).build().unwrap()
}

pub(crate) fn text(text: impl Into<String>) -> AttributeValue {
    AttributeValue::S(text.into())
}
