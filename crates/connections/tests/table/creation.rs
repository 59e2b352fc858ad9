use aws_sdk_dynamodb::types::{
    BillingMode, KeySchemaElement, KeyType, ScalarAttributeType, TableStatus, TimeToLiveStatus,
};
use entity_stream_connections::{PARTITION_KEY, SORT_KEY, TTL_ATTRIBUTE};

use crate::support::{TestTable, connection};

#[tokio::test]
async fn creates_the_table_that_the_template_describes() {
    let t = TestTable::create().await;

    let output = t.client.describe_table().table_name(t.table.name()).send().await.unwrap();
    let table = output.table().unwrap();
    assert_eq!(table.table_status(), Some(&TableStatus::Active), "it can be used at once");
    assert_eq!(
        table.billing_mode_summary().and_then(|summary| summary.billing_mode()),
        Some(&BillingMode::PayPerRequest)
    );
    let key =
        |name: &str, key_type| KeySchemaElement::builder().attribute_name(name).key_type(key_type).build().unwrap();
    assert_eq!(table.key_schema(), [key(PARTITION_KEY, KeyType::Hash), key(SORT_KEY, KeyType::Range)]);
    let mut attributes: Vec<_> =
        table.attribute_definitions().iter().map(|a| (a.attribute_name(), a.attribute_type().clone())).collect();
    attributes.sort_by_key(|(name, _)| *name);
    assert_eq!(attributes, [(PARTITION_KEY, ScalarAttributeType::S), (SORT_KEY, ScalarAttributeType::S)]);
    assert!(table.global_secondary_indexes().is_empty(), "everything is read from the base table");

    let output = t.client.describe_time_to_live().table_name(t.table.name()).send().await.unwrap();
    let ttl = output.time_to_live_description().unwrap();
    assert_eq!(ttl.attribute_name(), Some(TTL_ATTRIBUTE));
    // AWS takes up to an hour between both states.
    assert!(
        matches!(ttl.time_to_live_status(), Some(TimeToLiveStatus::Enabled | TimeToLiveStatus::Enabling)),
        "{ttl:?}"
    );
}

#[tokio::test]
async fn leaves_an_existing_table_as_it_is() {
    let t = TestTable::create().await;
    let alice = connection("alice", None);
    t.register([&alice]).await;

    t.table.create_if_missing().await.unwrap();

    t.assert_holds([&alice], "after the second creation").await;
}

#[tokio::test]
async fn can_be_created_by_several_processes_at_once() {
    let t = TestTable::named_only();
    let create = || t.table.create_if_missing();

    let results = tokio::join!(create(), create(), create(), create());

    assert!(matches!(results, (Ok(()), Ok(()), Ok(()), Ok(()))), "{results:?}");
    t.register([&connection("alice", None)]).await;
}
