use serde_json::{Value, json};

use super::events::{STATES, vehicle};
use crate::harness::{Client, Endpoint, Functions, Hands, Reply, System, envelope};

/// Subscribes, and returns the messages before the answer, and the answer.
async fn subscribe(client: &mut Client, message: &Value) -> (Vec<Value>, Value) {
    let mut message = message.clone();
    message["action"] = json!("subscribe");
    message["requestId"] = json!("s");
    client.send(message.to_string()).await;
    let mut before = Vec::new();
    loop {
        let message = client.json().await;
        if message["requestId"] == "s" {
            return (before, message);
        }
        before.push(message);
    }
}

fn since(answer: &Value) -> Value {
    json!({ "position": answer["position"], "session": answer["session"] })
}

#[tokio::test]
async fn a_subscription_that_follows_states_gets_each_entity_once_as_it_is_now() {
    let system = System::start().await;
    let mut client = system.connect("tenant=demo&subscribe=none").await;
    let fast = json!({ "subscription": "fast", "q": "speed>50", "wholeEntity": true });
    let plain = json!({ "subscription": "plain" });
    let (_, answer) = subscribe(&mut client, &json!({ "subscriptions": [fast, plain] })).await;
    drop(client);
    system.until_no_connection_is_registered().await;
    let publish = async |kind, id, data| {
        system.publish(&vehicle(kind, id, &data)).await;
        system.local.settled().await;
    };
    publish("entityCreated", "in", json!({ "speed": 60, "name": "a" })).await;
    publish("entityUpdated", "in", json!({ "speed": 70 })).await;
    publish("entityCreated", "out", json!({ "speed": 60 })).await;
    publish("entityUpdated", "out", json!({ "speed": 40 })).await;
    publish("entityCreated", "gone", json!({ "speed": 60 })).await;
    publish("entityDeleted", "gone", json!({})).await;
    let mut client = system.connect("tenant=demo&subscribe=none").await;
    let (messages, answer) =
        subscribe(&mut client, &json!({ "subscriptions": [fast, plain], "since": since(&answer) })).await;
    assert_eq!(answer["recovered"], json!(true), "{answer}");
    let of = |name: &str| -> Vec<_> {
        let of = messages.iter().filter(|message| message["subscriptions"] == json!([name]));
        of.map(|message| (message["type"].clone(), message["entityId"].clone(), message["data"].clone())).collect()
    };
    assert_eq!(of("plain").len(), 6);
    let expected = [
        (json!("entityUpdated"), json!("in"), json!({ "name": "a", "speed": 70 })),
        (json!("entityLeft"), json!("out"), Value::Null),
        (json!("entityDeleted"), json!("gone"), json!({})),
    ];
    assert_eq!(of("fast"), expected);
    assert!(messages.iter().all(|message| message["replayed"] == json!(true) && message["version"].is_u64()));
}

#[tokio::test]
async fn a_resume_is_recovered_or_told_the_present_state() {
    let system = System::start().await;
    system.publish(&vehicle("entityCreated", "v1", &json!({ "speed": 60 }))).await;
    system.local.settled().await;
    let mut client = system.connect("tenant=demo&subscribe=none").await;
    let (_, answer) = subscribe(&mut client, &json!({})).await;
    let ask = async |since: Value| {
        let mut client = system.connect("tenant=demo&subscribe=none").await;
        subscribe(&mut client, &json!({ "snapshot": true, "since": since })).await
    };
    let (messages, answer_of) = ask(since(&answer)).await;
    assert_eq!((&answer_of["recovered"], answer_of.get("snapshot")), (&json!(true), None), "{answer_of}");
    assert!(messages.iter().all(|message| message["type"] != "entitySnapshot"));
    let (messages, answer_of) = ask(json!({ "position": "x", "session": "s" })).await;
    assert_eq!((&answer_of["recovered"], &answer_of["snapshot"]), (&json!(false), &json!(1)), "{answer_of}");
    assert_eq!(messages.last().unwrap()["type"], "entitySnapshot");
}

/// The events of a replay of the bus are merged into the state, and neither delivered nor put into the history.
#[tokio::test]
async fn a_replay_of_the_bus_rebuilds_states_without_being_delivered() {
    let (system, hands) = (System::start().await, Hands::default());
    let connections = Endpoint::new(|_| Reply::status(200)).await;
    let functions = Functions::with_settings(&system, &connections, &hands, STATES).await;
    functions.register("C1=", "demo").await;
    let replay = |id: &str, data: &Value| {
        let mut event: Value = serde_json::from_str(&envelope(id, &vehicle("entityUpdated", "v1", data))).unwrap();
        event["replay-name"] = json!("rebuild");
        event.to_string()
    };
    let summary = functions.broadcast(&replay("e1", &json!({ "a": 1 })), 29).await.unwrap();
    assert_eq!((summary.replays, summary.delivered, connections.asked().len()), (1, 0, 0));
    let mut client = system.connect("tenant=demo&subscribe=none").await;
    let (messages, answer) = subscribe(&mut client, &json!({ "snapshot": true, "since": { "seconds": 5 } })).await;
    assert_eq!((&answer["recovered"], &answer["replayed"]), (&json!(true), &json!(0)), "{answer}");
    assert!(messages.is_empty());
    let (messages, answer) = subscribe(&mut client, &json!({ "snapshot": true })).await;
    assert_eq!((answer["snapshot"].as_u64(), &messages[0]["data"]), (Some(1), &json!({ "a": 1 })), "{answer}");
}
