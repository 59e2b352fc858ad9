use std::time::Duration;

use serde_json::json;

use crate::support::{MUCH, TestHistory, after, event_with, ids, start, tenant};

/// DynamoDB ends a page after 1 MB.
#[tokio::test]
async fn every_page_of_a_partition_is_read_with_strong_consistency() {
    let t = TestHistory::create().await;
    let data = json!({ "text": "x".repeat(100_000) });
    let mut wanted = Vec::new();
    for number in 0..25 {
        let event = event_with(&format!("e{number}"), "demo", "urn:a", &data);
        t.record(&event, start().plus(Duration::from_millis(number))).await;
        wanted.push(format!("e{number}"));
    }
    t.queries.take();

    let past = t.reader().read(&tenant("demo"), start(), after(1), MUCH).await.unwrap();

    assert_eq!(ids(&past), wanted);
    assert!(past.read_capacity > 0.0, "DynamoDB charges for {}", past.read_capacity);
    let queries = t.queries.take();
    // Four shards, one of which has at least three pages.
    assert!(queries.len() >= 6, "{} queries", queries.len());
    assert!(queries.iter().any(|query| query.contains("ExclusiveStartKey")));
    assert!(queries.iter().all(|query| query.contains(r#""ConsistentRead":true"#)), "{queries:?}");
    // Closed slices are read in pages, too.
    assert_eq!(t.ids_since(start(), after(1000)).await, wanted);
}

#[tokio::test]
async fn a_read_queries_the_partitions_of_its_time_only() {
    let t = TestHistory::create().await;
    t.ids_since(after(100), after(105)).await;
    assert_eq!(t.queries.take().len(), 4, "one span");
    t.ids_since(after(590), after(605)).await;
    assert_eq!(t.queries.take().len(), 8, "two spans");
}
