//! Nothing crosses from one tenant to another.

use serde_json::json;

use crate::harness::{Client, System, change, room};

#[tokio::test]
async fn a_change_never_reaches_another_tenant() {
    let system = System::start().await;
    // These names would collide if keys were joined, cut or matched by prefix.
    let tenants = ["a", "aa", "a-b", "a_b", "ab", "demo", "demo1"];
    let mut clients = Vec::new();
    for tenant in tenants {
        let mut client = system.connect(&format!("tenant={tenant}")).await;
        client.subscribe(&json!({ "entityTypes": ["Room", "a#Room", "*", "b#*"] })).await;
        clients.push((tenant, client));
        clients.push((tenant, system.connect(&format!("tenant={tenant}")).await));
    }
    for tenant in tenants {
        for entity_type in ["Room", "a#Room", "*", "b#*"] {
            system.publish(&change(tenant, entity_type, tenant)).await;
        }
    }
    for (tenant, client) in &mut clients {
        for _ in 0..4 {
            let event = client.json().await;
            assert_eq!((&event["tenant"], &event["entityId"]), (&json!(*tenant), &json!(*tenant)));
        }
    }
    for (_, client) in &mut clients {
        client.nothing_more(&system).await;
    }
}

#[tokio::test]
async fn tenants_are_compared_in_lower_case() {
    let system = System::start().await;
    let mut client = system.connect("tenant=SmartCity").await;
    system.publish(&room("SMARTCITY", "r")).await;
    assert_eq!(client.json().await["tenant"], json!("smartcity"));
}

#[tokio::test]
async fn names_that_try_to_escape_are_refused_everywhere() {
    let system = System::start().await;
    let mut client = system.connect("tenant=a").await;
    for name in ["a%23*", "a%2523", "a*", "a%00", "a%20", "%61%23b", "%EF%BD%81", "a%2F..", "..", "a,b", "", "%C3%A0"] {
        let refusal = Client::connect(&system.url(&format!("tenant={name}")), &[]).await.err();
        assert_eq!(refusal.map(|refusal| refusal.status), Some(400), "{name}");
    }
    for name in ["a#*", "a#Room", "a*", "*", "a\0", "ａ", " a", "a ", ""] {
        system.publish(&room(name, "escaped")).await;
    }
    assert_eq!(system.until_dead_letters(9).await.len(), 9, "each event is a dead letter");
    system.publish(&room("a", "own")).await;
    assert_eq!(client.event_id().await, "own");
}
