use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::json;

use crate::support::{TestStates, at, event, raw, stamp};

/// All items of the table.
async fn items(t: &TestStates) -> Vec<std::collections::HashMap<String, AttributeValue>> {
    t.client.scan().table_name(&t.name).send().await.unwrap().items.unwrap()
}

#[tokio::test]
async fn an_entity_has_one_item_and_an_entry_for_each_type_and_for_all() {
    let t = TestStates::create().await;
    let detail = json!({
        "type": "entityCreated", "entityId": "urn:secret:1", "entityType": ["Room", "Hall"], "timestamp": stamp(100),
        "data": { "a": 1 },
    });
    t.known(&event("1", &detail), at(100)).await;
    let mut keys: Vec<_> = items(&t).await.iter().map(|item| item["pk"].as_s().unwrap().clone()).collect();
    keys.sort_unstable();
    assert!(keys[0].starts_with("S#demo#") && !keys[0].contains("secret"), "{keys:?}");
    assert_eq!(keys[1..], ["X#demo#*", "X#demo#THall", "X#demo#TRoom"]);
    for item in items(&t).await {
        assert!(item["expiresAt"].as_n().unwrap().parse::<u64>().unwrap() > at(0).seconds());
    }
}

/// A write unit is 1 KB. The service adds this much to an entity of a usual size.
#[tokio::test]
async fn a_usual_entity_costs_one_write_unit() {
    let t = TestStates::create().await;
    let sensor = |value: f64| {
        format!(
            r#"{{"temperature":{{"type":"Property","value":{value},"unitCode":"CEL"}},"name":{{"type":"Property","value":"Room 1"}}}}"#
        )
    };
    t.known(&raw("1", "entityCreated", &sensor(20.5), 100), at(100)).await;
    for number in 2..20 {
        let update = raw(&number.to_string(), "entityUpdated", &sensor(20.5 + number as f64), 100 * number);
        t.known(&update, at(100 * number)).await;
    }
    let size = |item: &std::collections::HashMap<String, AttributeValue>| -> usize {
        let value = |value: &AttributeValue| match value {
            AttributeValue::S(text) => text.len(),
            AttributeValue::N(number) => number.len() / 2 + 1,
            AttributeValue::B(blob) => blob.as_ref().len(),
            _ => 1,
        };
        item.iter().map(|(name, each)| name.len() + value(each)).sum()
    };
    let all = items(&t).await;
    let state = all.iter().find(|item| item["pk"].as_s().unwrap().starts_with("S#")).unwrap();
    assert!(size(state) < 1024, "{}", size(state));
}
