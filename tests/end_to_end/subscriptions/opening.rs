//! The subscriptions and answers that a client chooses in the URL.

use serde_json::json;

use super::without_place;
use crate::harness::{Client, System, change, room};

fn ids(count: usize) -> String {
    (0..count).map(|n| format!("id-{n:02}")).collect::<Vec<_>>().join(",")
}

#[tokio::test]
async fn the_limits_of_a_filter_hold_in_the_url() {
    let system = System::start().await;
    let pattern = format!("%5E{}", "x".repeat(509));
    for (query, reason) in [
        (format!("entityIds={}", ids(50)), "entityIds"),
        ("entityIds=a,,b".to_owned(), "entityIds"),
        (format!("entityIds={}", "a".repeat(513)), "entityIds"),
        ("subscribe=all".to_owned(), "subscribe"),
        ("subscribe=none&entityIds=a".to_owned(), "subscribe"),
        ("subscribe=none&subscribe=none".to_owned(), "subscribe"),
        ("ack=never".to_owned(), "ack"),
        ("ack=".to_owned(), "ack"),
        // Each id repeats the pattern.
        (format!("entityIds={}&idPattern={pattern}", ids(49)), "entityIds"),
    ] {
        let refused = Client::connect(&system.url(&format!("tenant=demo&{query}")), &[]).await.err();
        let Some(refusal) = refused else { panic!("{query} is accepted") };
        assert!(refusal.status == 400 && refusal.body.contains(reason), "{query}: {refusal:?}");
    }
    assert!(system.items().await.is_empty(), "a refused client leaves nothing");

    for query in [
        format!("entityIds={},id-48", ids(49)),
        format!("entityIds={}&idPattern={pattern}", ids(20)),
        format!("entityIds=id-48,{}", "é".repeat(512).replace('é', "%C3%A9")),
        "idPattern=%5Eid-48%24".to_owned(),
    ] {
        let mut client = system.connect(&format!("tenant=demo&{query}")).await;
        system.publish(&room("demo", "other")).await;
        client.nothing_more(&system).await;
        if !query.contains("xxx") {
            system.publish(&room("demo", "id-48")).await;
            assert_eq!(client.event_id().await, "id-48", "{query}");
        }
    }
}

#[tokio::test]
async fn a_connection_without_a_subscription_receives_what_it_subscribes_to() {
    let system = System::start().await;
    let mut client = system.connect("tenant=demo&subscribe=none&ack=always").await;
    system.publish(&room("demo", "r1")).await;
    client.nothing_more(&system).await;
    let message = json!({ "action": "subscribe", "subscription": "map", "entityTypes": ["Room"] });
    let answer = without_place(client.ask(&message).await);
    assert_eq!(answer, json!({ "type": "subscribed", "subscription": "map", "entityTypes": ["Room"] }));
    system.publish(&change("demo", "Car", "c1")).await;
    system.publish(&room("demo", "r2")).await;
    let event = client.json().await;
    assert_eq!((&event["entityId"], &event["subscriptions"]), (&json!("r2"), &json!(["map"])), "{event}");
    // No default subscription has come into being.
    let answer = client.ask(&json!({ "action": "unsubscribe", "subscription": "map" })).await;
    assert_eq!(answer, json!({ "type": "unsubscribed", "subscription": "map" }));
    system.publish(&room("demo", "r3")).await;
    client.nothing_more(&system).await;
    assert_eq!(system.items().await.len(), 1, "only the connection itself is left");
}
