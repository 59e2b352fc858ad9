use aws_sdk_dynamodb::types::AttributeValue;
use entity_stream_history::EntityKey;
use entity_stream_protocol::EpochMillis;
use serde_json::json;

use crate::support::{TestStates, at, event, stamp, tenant};

fn created(id: &str, millis: u64) -> entity_stream_protocol::Event {
    let detail = json!({
        "type": "entityCreated", "entityId": id, "entityType": ["Room", "Hall"], "timestamp": stamp(millis),
        "data": { "a": 1 },
    });
    event(&format!("c{id}{millis}"), &detail)
}

/// The partitions of all items in the table.
async fn partitions(t: &TestStates) -> Vec<String> {
    let items = t.client.scan().table_name(&t.name).send().await.unwrap().items.unwrap_or_default();
    let mut partitions: Vec<_> =
        items.iter().filter_map(|item| item["pk"].as_s().ok().cloned()).filter(|key| key != "E").collect();
    partitions.sort();
    partitions
}

async fn listed(t: &TestStates, entity_type: Option<&str>, now: EpochMillis) -> usize {
    let page = t.table.list(&tenant(), entity_type, None, (100, now)).await.unwrap();
    t.table.states(&page.keys, now).await.unwrap().len()
}

#[tokio::test]
async fn nothing_is_left_of_an_erased_entity() {
    let t = TestStates::create().await;
    t.known(&created("e1", 100), at(100)).await;
    let (first, _) = t.known(&created("e2", 100), at(100)).await;
    let keys = t.table.keys_of_id(&tenant(), "e1").await.unwrap();
    assert_eq!(keys, [EntityKey::new(&tenant(), "e1", "/")]);
    assert!(t.table.erase(&keys[0]).await.unwrap());
    assert!(!t.table.erase(&keys[0]).await.unwrap(), "it was erased before");
    assert!(!t.table.restore_index(&keys[0]).await.unwrap());
    assert_eq!(t.state("e1", at(200)).await, None);
    assert_eq!(partitions(&t).await.len(), 4, "those of the other entity: {:?}", partitions(&t).await);

    let (all, next) = t.table.keys_of_tenant(&tenant(), None).await.unwrap();
    assert_eq!((all.as_slice(), next), (&[EntityKey::new(&tenant(), "e2", "/")][..], None));
    assert!(t.table.erase(&all[0]).await.unwrap());
    assert_eq!(partitions(&t).await, [""; 0]);

    let (again, _) = t.known(&created("e2", 300), at(300)).await;
    assert!(again.version > first.version);
    assert_eq!(listed(&t, Some("Hall"), at(400)).await, 1);
}

/// An attempt wrote the index, then the index was erased, and then the attempt wrote the state.
#[tokio::test]
async fn an_entity_that_came_back_meanwhile_is_listed_again() {
    let t = TestStates::create().await;
    t.known(&created("e", 100), at(100)).await;
    let key = EntityKey::new(&tenant(), "e", "/");
    let items = t.client.scan().table_name(&t.name).send().await.unwrap().items.unwrap();
    for item in items.iter().filter(|item| item["pk"].as_s().unwrap().starts_with("X#")) {
        let of_item = |name: &str| AttributeValue::S(item[name].as_s().unwrap().clone());
        let delete = t.client.delete_item().table_name(&t.name).key("pk", of_item("pk")).key("sk", of_item("sk"));
        delete.send().await.unwrap();
    }
    assert_eq!(listed(&t, None, at(200)).await, 0);
    assert!(t.table.restore_index(&key).await.unwrap());
    for entity_type in [None, Some("Room"), Some("Hall")] {
        assert_eq!(listed(&t, entity_type, at(200)).await, 1, "{entity_type:?}");
    }
}

#[tokio::test]
async fn a_forgotten_state_that_is_still_there_is_erased() {
    let t = TestStates::create().await;
    t.known(&created("e", 100), at(100)).await;
    let later = at(100 + 30 * 24 * 60 * 60 * 1000);
    assert_eq!(t.state("e", later).await, None);
    for key in t.table.keys_of_id(&tenant(), "e").await.unwrap() {
        assert!(t.table.erase(&key).await.unwrap());
    }
    assert_eq!(partitions(&t).await, [""; 0]);
}
