//! The views of subscriptions.

use std::sync::atomic::{AtomicUsize, Ordering};

use entity_stream_connections::Connection;
use entity_stream_protocol::{Filter, GroupId, Representation, Subscription, SubscriptionName, View};
use serde_json::{Value, json};

use crate::harness::{Asked, Endpoint, Functions, Hands, Reply, System, change, envelope};

fn named(name: &str, view: View) -> Subscription {
    Subscription::new(SubscriptionName::parse(name).unwrap(), Filter::new(["Room"], None).unwrap(), view).unwrap()
}

/// Two subscriptions with different views.
fn two_views(connection: Connection) -> Connection {
    let values = View::new([""; 0], Representation::KeyValues).unwrap();
    let only = View::new(["temperature"], Representation::Normalized).unwrap();
    Connection { subscriptions: vec![named("a", values.clone()), named("b", only), named("c", values)], ..connection }
}

fn event(asked: &Asked) -> Value {
    serde_json::from_slice(&asked.body).unwrap()
}

fn room() -> Value {
    let mut detail = change("demo", "Room", "r1");
    detail["data"] = json!({
        "temperature": { "type": "Property", "value": 23.5 }, "name": { "type": "Property", "value": "hall" },
    });
    detail
}

#[tokio::test]
async fn an_event_arrives_once_for_each_view() {
    let system = System::start().await;
    let mut client = system.connect("tenant=demo&subscribe=none").await;
    let several = json!({ "action": "subscribe", "requestId": "s", "subscriptions": [
        { "subscription": "list", "entityTypes": ["Room"], "representation": "keyValues" },
        { "subscription": "map", "entityIds": ["r1"], "representation": "keyValues" },
        { "subscription": "one", "attributes": ["name"] },
    ]});
    assert_eq!(client.ask(&several).await["type"], "subscribed");
    system.publish(&room()).await;
    let mut events = [client.json().await, client.json().await];
    events.sort_by_key(|event| event["subscriptions"].to_string());
    assert_eq!(events[0]["subscriptions"], json!(["list", "map"]));
    assert_eq!(events[0]["data"], json!({ "temperature": 23.5, "name": "hall" }));
    assert_eq!(events[1]["subscriptions"], json!(["one"]));
    assert_eq!(events[1]["data"], json!({ "name": { "type": "Property", "value": "hall" } }));
    assert_eq!(events[0]["id"], events[1]["id"]);
    client.nothing_more(&system).await;
}

#[tokio::test]
async fn a_small_view_of_a_large_event_is_whole() {
    let system = System::start().await;
    let mut small = system.connect("tenant=demo&subscribe=none&format=cloudevents").await;
    let view = json!({ "action": "subscribe", "attributes": ["name"], "requestId": "s" });
    assert_eq!(small.ask(&view).await["type"], "subscribed");
    let mut large = system.connect("tenant=demo").await;
    let mut detail = room();
    detail["data"]["blob"] = json!("x".repeat(150 * 1024));
    system.publish(&detail).await;
    let event = small.json().await;
    assert_eq!(event["data"]["data"], json!({ "name": { "type": "Property", "value": "hall" } }), "{event}");
    assert_eq!(large.json().await["truncated"], true);
}

/// The second view fails at first. The retry does not send the first view again.
#[tokio::test]
async fn a_view_that_was_delivered_is_not_delivered_again() {
    let (system, hands) = (System::start().await, Hands::default());
    let posts = AtomicUsize::new(0);
    let api =
        Endpoint::new(move |_| Reply::status(if posts.fetch_add(1, Ordering::SeqCst) == 1 { 503 } else { 200 })).await;
    let functions = Functions::new(&system, &api, &hands).await;
    functions.table.register(&two_views(functions.connection("TwoAAAAAAAAAAAA=", "demo"))).await.unwrap();
    let summary = functions.broadcast(&envelope("e1", &room()), 30).await.unwrap();
    assert_eq!((summary.matched, summary.delivered), (1, 1));
    let names: Vec<_> = api.asked().iter().map(|asked| event(asked)["subscriptions"].clone()).collect();
    let (first, second) = (json!(["a", "c"]), json!(["b"]));
    assert_eq!(names, [first, second.clone(), second], "the second view is tried twice");
}

#[tokio::test]
async fn a_connection_that_ends_between_two_views_is_forgotten() {
    let (system, hands) = (System::start().await, Hands::default());
    let posts = AtomicUsize::new(0);
    let api =
        Endpoint::new(move |_| Reply::status(if posts.fetch_add(1, Ordering::SeqCst) == 0 { 200 } else { 410 })).await;
    let functions = Functions::new(&system, &api, &hands).await;
    functions.table.register(&two_views(functions.connection("TwoAAAAAAAAAAAA=", "demo"))).await.unwrap();
    hands.forward(31);
    let summary = functions.broadcast(&envelope("e1", &room()), 30).await.unwrap();
    assert_eq!((summary.delivered, summary.gone), (0, 1));
    assert!(system.items().await.is_empty());
}

/// One member of a group takes an event in all of its views, and no other member takes it.
#[tokio::test]
async fn one_member_of_a_group_takes_all_views() {
    let (system, hands) = (System::start().await, Hands::default());
    let api = Endpoint::script([Reply::status(200)]).await;
    let functions = Functions::new(&system, &api, &hands).await;
    for id in ["MemberAAAAAAAAA=", "MemberBBBBBBBBB="] {
        let member = Connection { group: Some(GroupId::parse("team").unwrap()), ..functions.connection(id, "demo") };
        functions.table.register(&two_views(member)).await.unwrap();
    }
    for n in 0..8 {
        functions.broadcast(&envelope(&format!("e{n}"), &room()), 30).await.unwrap();
        let asked = api.asked();
        let last = &asked[asked.len() - 2..];
        assert_eq!(asked.len(), 2 * (n + 1));
        assert_eq!(last[0].path, last[1].path, "both views to one member");
        assert_ne!(event(&last[0])["subscriptions"], event(&last[1])["subscriptions"]);
    }
}
