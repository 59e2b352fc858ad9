//! Entity state in a data file that is switched off for a while.

use entity_stream_local::Config;
use entity_stream_runtime::Environment;
use serde_json::{Value, json};

use super::events::vehicle;
use crate::harness::{Client, Hands, System, config};

async fn start(folder: &tempfile::TempDir, hands: &Hands, state: &'static str) -> System {
    let environment = Environment::new(move |name| (name == "ENTITY_STATE").then(|| state.to_owned()));
    let data = Some(folder.path().join("table.db"));
    System::start_with(Config { data, environment, clock: hands.clock(), ..config() }).await
}

/// Publishes the speed of a vehicle, and stops the system.
async fn publish_and_stop(system: System, speed: u32) {
    system.publish(&vehicle("entityUpdated", "v1", &json!({ "speed": speed }))).await;
    system.local.settled().await;
    system.local.shutdown().await;
}

/// The messages before the answer, and the answer.
async fn subscribe(client: &mut Client, message: &Value) -> (Vec<Value>, Value) {
    client.send(message.to_string()).await;
    let mut before = Vec::new();
    loop {
        let frame = client.json().await;
        if frame["type"] == "subscribed" {
            return (before, frame);
        }
        before.push(frame);
    }
}

/// They would be out of date.
#[tokio::test]
async fn a_system_without_entity_state_erases_the_states_of_an_earlier_one() {
    let (folder, hands) = (tempfile::tempdir().unwrap(), Hands::default());
    publish_and_stop(start(&folder, &hands, "true").await, 1).await;
    let system = start(&folder, &hands, "true").await;
    let snapshot = json!({ "action": "subscribe", "snapshot": true });
    let (entities, _) = subscribe(&mut system.connect("tenant=demo&subscribe=none").await, &snapshot).await;
    assert_eq!(entities.len(), 1, "a restart keeps them");
    system.local.shutdown().await;

    publish_and_stop(start(&folder, &hands, "false").await, 2).await;

    let system = start(&folder, &hands, "true").await;
    let mut client = system.connect("tenant=demo&subscribe=none").await;
    let (entities, answer) = subscribe(&mut client, &snapshot).await;
    assert_eq!((entities.len(), &answer["snapshot"]), (0, &json!(0)), "{entities:?}");
    let resume = json!({ "action": "subscribe", "wholeEntity": true, "since": { "seconds": 10 } });
    let (events, answer) = subscribe(&mut client, &resume).await;
    assert_eq!((events.len(), &answer["recovered"]), (2, &json!(true)), "the history goes on: {answer}");
    for event in events {
        assert_eq!((&event["state"], event.get("version")), (&json!("unavailable"), None), "{event}");
    }
}
