use aws_sdk_dynamodb::types::{BillingMode, KeySchemaElement, KeyType, TimeToLiveStatus};
use entity_stream_history::{PARTITION_KEY, SORT_KEY, TTL_ATTRIBUTE};

use crate::support::{TestHistory, after, start};

#[tokio::test]
async fn creates_the_table_that_the_template_describes() {
    let t = TestHistory::create().await;

    let output = t.client.describe_table().table_name(t.table.name()).send().await.unwrap();
    let table = output.table().unwrap();
    let billing = table.billing_mode_summary().and_then(|summary| summary.billing_mode());
    assert_eq!(billing, Some(&BillingMode::PayPerRequest));
    let key = |name: &str, kind| KeySchemaElement::builder().attribute_name(name).key_type(kind).build().unwrap();
    assert_eq!(table.key_schema(), [key(PARTITION_KEY, KeyType::Hash), key(SORT_KEY, KeyType::Range)]);
    assert!(table.global_secondary_indexes().is_empty(), "everything is read from the base table");

    let output = t.client.describe_time_to_live().table_name(t.table.name()).send().await.unwrap();
    let ttl = output.time_to_live_description().unwrap();
    assert_eq!(ttl.attribute_name(), Some(TTL_ATTRIBUTE));
    // AWS takes up to an hour between both states.
    let status = ttl.time_to_live_status();
    assert!(matches!(status, Some(TimeToLiveStatus::Enabled | TimeToLiveStatus::Enabling)), "{ttl:?}");
}

#[tokio::test]
async fn leaves_an_existing_table_as_it_is() {
    let t = TestHistory::named_only();
    assert!(t.table.create_if_missing().await.unwrap());
    t.record_id("one", "urn:a", after(1)).await;
    assert!(!t.table.create_if_missing().await.unwrap());
    assert_eq!(t.ids_since(start(), after(2)).await, ["one"]);
}
