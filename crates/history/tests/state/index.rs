use std::collections::BTreeSet;

use entity_stream_history::IndexPlace;
use serde_json::json;

use crate::support::{TestStates, at, event, stamp, tenant};

/// The ids of a type's entities, read in pages.
async fn listed(t: &TestStates, entity_type: Option<&str>, limit: i32) -> BTreeSet<String> {
    let (mut ids, mut after): (BTreeSet<String>, Option<IndexPlace>) = (BTreeSet::new(), None);
    loop {
        let page = t.table.list(&tenant(), entity_type, after.as_ref(), (limit, at(1_000))).await.unwrap();
        let states = t.table.states(&page.keys, at(1_000)).await.unwrap();
        ids.extend(states.into_iter().map(|(_, state)| state.entity_id));
        match page.next {
            Some(next) => after = Some(next),
            None => return ids,
        }
    }
}

#[tokio::test]
async fn the_index_has_each_entity_under_each_of_its_types() {
    let t = TestStates::create().await;
    let create = |id: usize, types: serde_json::Value| {
        let detail = json!({
            "type": "entityCreated", "entityId": format!("e{id}"), "entityType": types, "timestamp": stamp(100),
            "data": { "a": 1 },
        });
        event(&format!("c{id}"), &detail)
    };
    for id in 0..25 {
        let types = if id % 5 == 0 { json!(["Room", "Hall"]) } else { json!("Room") };
        t.known(&create(id, types), at(100)).await;
    }
    t.known(&create(99, json!("*")), at(100)).await;
    let ids = |ids: &mut dyn Iterator<Item = usize>| ids.map(|id| format!("e{id}")).collect::<BTreeSet<_>>();
    for limit in [1, 7, 1000] {
        assert_eq!(listed(&t, Some("Room"), limit).await, ids(&mut (0..25)));
        assert_eq!(listed(&t, Some("Hall"), limit).await, ids(&mut (0..25).step_by(5)));
        assert_eq!(listed(&t, Some("*"), limit).await, ids(&mut (99..100)));
        assert_eq!(listed(&t, None, limit).await, ids(&mut (0..25).chain([99])));
        assert_eq!(listed(&t, Some("Car"), limit).await, BTreeSet::new());
    }
    // A further type later on.
    let detail = json!({
        "type": "entityUpdated", "entityId": "e1", "entityType": ["Room", "Car"], "timestamp": stamp(200), "data": { "a": 2 },
    });
    t.known(&event("u1", &detail), at(200)).await;
    assert_eq!(listed(&t, Some("Car"), 10).await, ids(&mut (1..2)));
}
