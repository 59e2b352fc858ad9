//! The layout of the table, written down a second time.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::support::{TestHistory, after, number, start, text};

#[tokio::test]
async fn an_event_stands_in_the_partition_of_its_tenant_its_time_and_its_entity() {
    let t = TestHistory::create().await;
    let at = after(600).minus(Duration::from_millis(1));
    let position = t.record_id("one", "urn:a", at).await;
    let [item] = t.items().await.try_into().unwrap();

    let pk = text(&item, "pk");
    let (partition, shard) = pk.rsplit_once('#').unwrap();
    assert_eq!(partition, format!("H#demo#{}", start().seconds() / 600));
    assert!(["0", "1", "2", "3"].contains(&shard), "{pk}");
    assert_eq!(text(&item, "sk"), position.as_str());
    assert_eq!((text(&item, "i"), text(&item, "t")), ("one".to_owned(), "2026-09-21T14:13:20Z".to_owned()));
    // A minute beyond the retention, so that the overlap before the oldest position is there.
    assert_eq!(item["expiresAt"], number(at.seconds() + 3600 + 60));
    assert_eq!(item.get("b"), None, "nothing is left out");
    assert_eq!(item.len(), 6, "{item:?}");
}

#[tokio::test]
async fn an_entity_has_one_shard_and_entities_share_all_of_them() {
    let t = TestHistory::create().await;
    let mut shards: BTreeMap<String, usize> = BTreeMap::new();
    for number in 0..100 {
        for time in 0..2 {
            t.record_id(&format!("{number}-{time}"), &format!("urn:{number}"), after(time)).await;
        }
    }
    for item in t.items().await {
        *shards.entry(text(&item, "pk")).or_default() += 1;
    }
    assert_eq!(shards.len(), 4, "{shards:?}");
    assert!(shards.values().all(|count| count % 2 == 0 && (20..80).contains(count)), "{shards:?}");
}
