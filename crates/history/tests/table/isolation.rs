use crate::support::{MUCH, TestHistory, after, event, ids, start, tenant};

/// Names of tenants that are parts of each other, or of the keys of the table.
const TENANTS: [&str; 10] = ["a", "aa", "a-1", "a_1", "1", "1-a", "h", "h-a", "a-2983334-0", "e"];

#[tokio::test]
async fn tenants_with_similar_names_never_mix() {
    let t = TestHistory::create().await;
    for (number, name) in TENANTS.iter().enumerate() {
        for entity in ["urn:a", "urn:b", "urn:c", "urn:d", "urn:e"] {
            t.record(&event(&format!("{name}/{entity}"), name, entity), after(number as u64)).await;
        }
    }
    let reader = t.reader();
    // First from the table, then with known slices.
    for now in [20, 1000, 1000] {
        for name in TENANTS {
            let mut found = ids(&reader.read(&tenant(name), start(), after(now), MUCH).await.unwrap());
            found.sort();
            assert_eq!(found, ["a", "b", "c", "d", "e"].map(|entity| format!("{name}/urn:{entity}")));
        }
    }
}

#[tokio::test]
async fn the_case_of_a_tenant_does_not_count() {
    let t = TestHistory::create().await;
    t.record(&event("one", "Demo", "urn:a"), after(1)).await;
    assert_eq!(t.ids_since(start(), after(2)).await, ["one"]);
}
