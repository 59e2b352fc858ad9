use entity_stream_local::Config;
use entity_stream_runtime::Environment;
use serde_json::json;

use super::events::vehicle;
use crate::harness::{Client, System, config};

async fn without_states() -> System {
    let environment = Environment::new(|name| (name == "ENTITY_STATE").then(|| "false".to_owned()));
    System::start_with(Config { environment, ..config() }).await
}

#[tokio::test]
async fn without_entity_state_its_fields_are_refused_and_events_have_no_version() {
    let system = without_states().await;
    let mut client = system.connect("tenant=demo").await;
    for field in ["wholeEntity", "showChanges", "snapshot"] {
        let answer = client.ask(&json!({ "action": "subscribe", field: true, "requestId": "1" })).await;
        assert_eq!((&answer["type"], &answer["code"]), (&json!("error"), &json!("not_available")), "{answer}");
    }
    let answer = client.ask(&json!({ "action": "snapshot", "next": "x" })).await;
    assert_eq!(answer["code"], "not_available");
    client.subscribe(&json!({ "q": "speed>50" })).await;
    system.publish(&vehicle("entityUpdated", "v1", &json!({ "speed": 60 }))).await;
    let event = client.json().await;
    for field in ["version", "late", "partial", "state"] {
        assert!(event.get(field).is_none(), "{field}: {event}");
    }
    // `q` is judged on the change: it says nothing of the speed.
    system.publish(&vehicle("entityUpdated", "v1", &json!({ "name": "bus" }))).await;
    system.publish(&vehicle("entityUpdated", "v1", &json!({ "speed": 40 }))).await;
    client.nothing_more(&system).await;
}

#[tokio::test]
async fn without_entity_state_a_url_that_needs_it_is_refused() {
    let system = without_states().await;
    for parameter in ["wholeEntity", "showChanges"] {
        let refused = Client::connect(&system.url(&format!("tenant=demo&{parameter}=true")), &[]).await;
        let refusal = refused.err().unwrap();
        assert_eq!(refusal.status, 400);
        assert!(refusal.body.contains("entity state"), "{refusal:?}");
    }
}

#[tokio::test]
async fn a_member_of_a_group_gets_no_snapshot() {
    let system = System::start().await;
    let mut client = system.connect("tenant=demo&group_id=g").await;
    let answer = client.ask(&json!({ "action": "subscribe", "snapshot": true, "requestId": "1" })).await;
    assert_eq!((&answer["code"], &answer["requestId"]), (&json!("not_available"), &json!("1")), "{answer}");
    // Whole entities are for groups too.
    client.subscribe(&json!({ "wholeEntity": true })).await;
    for data in [json!({ "a": 1 }), json!({ "b": 2 })] {
        system.publish(&vehicle("entityUpdated", "v1", &data)).await;
        system.local.settled().await;
    }
    client.json().await;
    assert_eq!(client.json().await["data"], json!({ "a": 1, "b": 2 }));
}

#[tokio::test]
async fn entity_state_is_on_without_a_history() {
    let environment = Environment::new(|name| (name == "HISTORY_MINUTES").then(|| "0".to_owned()));
    let system = System::start_with(Config { environment, ..config() }).await;
    let mut client = system.connect("tenant=demo&wholeEntity=true").await;
    for data in [json!({ "a": 1 }), json!({ "b": 2 })] {
        system.publish(&vehicle("entityUpdated", "v1", &data)).await;
        system.local.settled().await;
    }
    client.json().await;
    let event = client.json().await;
    assert_eq!((&event["data"], event.get("position")), (&json!({ "a": 1, "b": 2 }), None), "{event}");
    client.send(r#"{"action":"subscribe","snapshot":true,"wholeEntity":true,"requestId":"1"}"#).await;
    assert_eq!(client.json().await["data"], json!({ "a": 1, "b": 2 }));
    let answer = client.json().await;
    assert_eq!((&answer["snapshot"], answer.get("position")), (&json!(1), None), "{answer}");
}
