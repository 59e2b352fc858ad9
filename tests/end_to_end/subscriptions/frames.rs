//! The messages of clients about their subscriptions, through sockets.

use serde_json::{Value, json};

use super::without_place;
use crate::harness::{Client, System, change};

fn vehicle(id: &str, speed: u32) -> Value {
    let mut detail = change("demo", "Vehicle", id);
    detail["data"] = json!({
        "speed": { "type": "Property", "value": speed },
        "location": { "type": "GeoProperty", "value": { "type": "Point", "coordinates": [135.75, 35.0] } },
    });
    detail["changedAttributes"] = json!(["speed"]);
    detail
}

async fn subscribed(client: &mut Client, message: Value) -> Value {
    let mut message = message;
    message["action"] = json!("subscribe");
    message["requestId"] = json!("s");
    let answer = client.ask(&message).await;
    assert_eq!(answer["type"], "subscribed", "{answer}");
    answer
}

#[tokio::test]
async fn an_event_names_the_subscriptions_that_it_matches() {
    let system = System::start().await;
    let mut client = system.connect("tenant=demo&subscribe=none").await;
    let several = json!({ "subscriptions": [
        { "subscription": "fast", "entityTypes": ["Vehicle"], "q": "speed>50" },
        { "subscription": "one", "entityIds": ["v1"] },
        { "entityTypes": ["Vehicle"], "watchedAttributes": ["location"] },
    ]});
    let answer = subscribed(&mut client, several.clone()).await;
    assert_eq!(answer["subscriptions"], several["subscriptions"], "the filters in force");

    let mut moved = vehicle("v2", 10);
    moved["changedAttributes"] = json!(["location"]);
    let updated = |names: Value| (json!("entityUpdated"), names);
    for (detail, expected) in [
        (vehicle("v1", 60), vec![updated(json!(["fast", "one"]))]),
        (vehicle("v1", 40), vec![(json!("entityLeft"), json!(["fast"])), updated(json!(["one"]))]),
        (vehicle("v2", 60), vec![updated(json!(["fast"]))]),
        (moved, vec![(json!("entityLeft"), json!(["fast"])), updated(json!([""]))]),
    ] {
        system.publish(&detail).await;
        let mut messages = Vec::new();
        for _ in &expected {
            let message = client.json().await;
            assert_eq!(message["entityId"], detail["entityId"], "{message}");
            messages.push((message["type"].clone(), message["subscriptions"].clone()));
        }
        messages.sort_by_key(|(kind, _)| kind.to_string());
        assert_eq!(messages, expected);
    }
    system.publish(&vehicle("v3", 10)).await;
    client.nothing_more(&system).await;

    let removed = client.ask(&json!({ "action": "unsubscribe", "subscription": "one", "requestId": "u" })).await;
    assert_eq!(removed, json!({ "type": "unsubscribed", "subscription": "one", "requestId": "u" }));
    let again = client.ask(&json!({ "action": "unsubscribe", "subscription": "one", "requestId": "u" })).await;
    assert_eq!((&again["code"], &again["subscription"]), (&json!("not_subscribed"), &json!("one")), "{again}");
    system.publish(&vehicle("v1", 10)).await;
    client.nothing_more(&system).await;
}

#[tokio::test]
async fn only_a_connection_with_a_named_subscription_learns_names() {
    let system = System::start().await;
    let mut client = system.connect("tenant=demo&entityTypes=Vehicle").await;
    let publish = async |client: &mut Client| {
        system.publish(&vehicle("v1", 10)).await;
        client.json().await.get("subscriptions").cloned()
    };
    assert_eq!(publish(&mut client).await, None);
    subscribed(&mut client, json!({ "subscription": "other", "entityTypes": ["Room"] })).await;
    assert_eq!(publish(&mut client).await, Some(json!([""])));
    client.ask(&json!({ "action": "unsubscribe", "subscription": "other", "requestId": "u" })).await;
    assert_eq!(publish(&mut client).await, None);
}

#[tokio::test]
async fn the_url_selects_ids_and_answers() {
    let system = System::start().await;
    let mut client = system.connect("tenant=demo&entityIds=v1,v%2F%232&ack=always").await;
    for id in ["v1", "v/#2"] {
        system.publish(&vehicle(id, 10)).await;
        assert_eq!(client.event_id().await, id);
    }
    system.publish(&vehicle("v2", 10)).await;
    client.nothing_more(&system).await;
    let answer = without_place(client.ask(&json!({ "action": "subscribe", "entityIds": ["v2"] })).await);
    assert_eq!(answer, json!({ "type": "subscribed", "entityIds": ["v2"] }));
    let answer = client.ask(&json!({ "action": "unsubscribe" })).await;
    assert_eq!(answer, json!({ "type": "unsubscribed" }));
}

#[tokio::test]
async fn each_limit_is_named_and_changes_nothing() {
    let system = System::start().await;
    let mut client = system.connect("tenant=demo&subscribe=none").await;
    let names = |count: usize| (0..count).map(|i| format!("s{i}")).collect::<Vec<_>>();
    let list = |names: &[String], ids: usize| -> Value {
        let id = |n: usize| json!((0..ids).map(|i| format!("{n}-{i}")).collect::<Vec<_>>());
        json!(
            names
                .iter()
                .enumerate()
                .map(|(n, name)| json!({ "subscription": name, "entityIds": id(n) }))
                .collect::<Vec<_>>()
        )
    };
    subscribed(&mut client, json!({ "subscriptions": list(&names(16), 3) })).await;
    subscribed(&mut client, json!({ "entityIds": ["one more"] })).await;
    for (message, code, subscription) in [
        (json!({ "subscription": "s16", "entityIds": ["0-0"] }), "limit_exceeded", "s16"),
        (json!({ "subscription": "s0", "entityIds": ["a", "b", "c", "d"] }), "limit_exceeded", "s0"),
        (json!({ "subscription": "s0", "q": "a>" }), "invalid_q", "s0"),
        (json!({ "subscription": "s0", "geoQ": { "georel": "near" } }), "invalid_geo_q", "s0"),
        (json!({ "subscription": "s0", "entityIds": [""] }), "invalid_entity_ids", "s0"),
        (json!({ "subscription": "s0", "servicePath": "a" }), "invalid_subscription", "s0"),
        (json!({ "subscription": "s0", "notificationTrigger": ["attributeCreated"] }), "invalid_subscription", "s0"),
        (json!({ "subscription": "s0", "representation": "xml" }), "invalid_subscription", "s0"),
        (json!({ "subscription": "s0", "wholeEntity": "yes" }), "invalid_subscription", "s0"),
        (json!({ "subscription": "s0", "q": format!("a==\"{}\"", "x".repeat(1020)) }), "limit_exceeded", "s0"),
        (
            json!({ "subscriptions": [{ "subscription": "s1" }, { "subscription": "s0", "idPattern": "(" }] }),
            "invalid_id_pattern",
            "s0",
        ),
    ] {
        let mut request = message.clone();
        request["action"] = json!("subscribe");
        request["requestId"] = json!("r");
        let answer = client.ask(&request).await;
        assert_eq!((&answer["code"], &answer["requestId"]), (&json!(code), &json!("r")), "{message}: {answer}");
        assert_eq!(answer["subscription"], json!(subscription), "{answer}");
    }
    let bad_name = client.ask(&json!({ "action": "subscribe", "subscription": "a b", "requestId": "r" })).await;
    assert_eq!(bad_name["code"], "invalid_subscription", "{bad_name}");
    // Everything is as it was.
    for id in ["0-0", "15-2", "one more"] {
        system.publish(&vehicle(id, 10)).await;
        assert_eq!(client.event_id().await, id);
    }
    system.publish(&vehicle("a", 10)).await;
    client.nothing_more(&system).await;
}

#[tokio::test]
async fn messages_about_different_subscriptions_at_once_all_succeed() {
    let system = System::start().await;
    let mut client = system.connect("tenant=demo&subscribe=none").await;
    for i in 0..8 {
        let message = json!({ "action": "subscribe", "subscription": format!("s{i}"), "entityIds": [format!("v{i}")], "requestId": format!("{i}") });
        client.send(message.to_string()).await;
    }
    for _ in 0..8 {
        let answer = client.json().await;
        assert_eq!(answer["type"], "subscribed", "{answer}");
    }
    for i in 0..8 {
        system.publish(&vehicle(&format!("v{i}"), 10)).await;
        assert_eq!(client.json().await["subscriptions"], json!([format!("s{i}")]));
    }
}

/// Ids and types with every separator of keys reach the connections of their own tenant only.
#[tokio::test]
async fn no_scope_is_reached_from_another_tenant() {
    let system = System::start().await;
    let odd = ["a#b", "*", "#", "%23", "demo#*", "T#demo#*", "I#demo#x", "x/../y", "部屋", "a\u{0}b", "\u{10ffff}"];
    let mut other = system.connect("tenant=other&subscribe=none").await;
    let mut own = system.connect("tenant=demo&subscribe=none").await;
    for client in [&mut other, &mut own] {
        subscribed(
            client,
            json!({ "subscriptions": [
                { "subscription": "ids", "entityIds": odd }, { "subscription": "types", "entityTypes": odd },
            ]}),
        )
        .await;
    }
    for text in odd {
        system.publish(&change("demo", "Room", text)).await;
        assert_eq!(own.json().await["subscriptions"], json!(["ids"]), "{text}");
        system.publish(&change("demo", text, "room")).await;
        assert_eq!(own.json().await["subscriptions"], json!(["types"]), "{text}");
    }
    other.nothing_more(&system).await;
    own.nothing_more(&system).await;
}
