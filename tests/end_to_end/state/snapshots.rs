use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::events::vehicle;
use crate::harness::{Client, System, entry};

/// Receives the events of frames until the answer with this id, and returns them and the answer.
async fn until_answer(client: &mut Client, id: &str) -> (Vec<Value>, Value) {
    let mut messages = Vec::new();
    loop {
        let message = client.json().await;
        match message["type"].as_str().unwrap() {
            "events" => messages.extend(message["events"].as_array().unwrap().clone()),
            _ if message["requestId"] == id => return (messages, message),
            _ => messages.push(message),
        }
    }
}

#[tokio::test]
async fn a_snapshot_has_the_entities_that_match_in_the_view_of_each_subscription() {
    let system = System::start().await;
    for (id, speed) in [("v1", 10), ("v2", 60), ("v3", 70)] {
        system.publish(&vehicle("entityCreated", id, &json!({ "speed": speed, "name": id }))).await;
    }
    system.publish(&vehicle("entityDeleted", "v3", &json!({}))).await;
    let mut other = vehicle("entityCreated", "v9", &json!({ "speed": 99 }));
    other["tenant"] = json!("other");
    system.publish(&other).await;
    system.local.settled().await;
    let mut client = system.connect("tenant=demo&subscribe=none").await;
    let message = json!({
        "action": "subscribe", "requestId": "1",
        "subscriptions": [
            { "subscription": "all", "entityTypes": ["Vehicle"], "snapshot": true },
            { "subscription": "fast", "entityTypes": ["Vehicle", "Car"], "q": "speed>50", "snapshot": true },
            { "subscription": "names", "entityIds": ["v1", "v3", "v7"], "attributes": ["name"],
              "representation": "keyValues", "snapshot": true },
            { "subscription": "later", "entityTypes": ["Vehicle"] },
        ],
    });
    client.send(message.to_string()).await;
    let (messages, answer) = until_answer(&mut client, "1").await;
    assert_eq!((&answer["snapshot"], answer.get("snapshotNext")), (&json!(2), None), "{answer}");
    let mut shown: Vec<_> = messages
        .iter()
        .map(|message| {
            assert_eq!(message["type"], "entitySnapshot");
            assert!(message["version"].is_u64() && message["timestamp"].is_string(), "{message}");
            (message["entityId"].clone(), message["subscriptions"].clone(), message["data"].clone())
        })
        .collect();
    shown.sort_by_key(|shown| format!("{shown:?}"));
    let expected = [
        (json!("v1"), json!(["all"]), json!({ "name": "v1", "speed": 10 })),
        (json!("v1"), json!(["names"]), json!({ "name": "v1" })),
        (json!("v2"), json!(["all", "fast"]), json!({ "name": "v2", "speed": 60 })),
    ];
    assert_eq!(shown, expected);
}

#[tokio::test]
async fn a_token_of_other_subscriptions_is_refused() {
    let system = System::start().await;
    let mut client = system.connect("tenant=demo").await;
    // The third one is a token with a place that no entity has.
    let forged = "eyJzIjpbIiJdLCJuIjowLCJoIjowLCJhIjoiIn0";
    for next in ["x", "e30", forged, &"a".repeat(5000)] {
        let answer = client.ask(&json!({ "action": "snapshot", "next": next, "requestId": "1" })).await;
        assert_eq!(
            (&answer["code"], &answer["requestId"]),
            (&json!("invalid_snapshot_token"), &json!("1")),
            "{answer}"
        );
    }
    let answer = client.ask(&json!({ "action": "snapshot" })).await;
    assert_eq!(answer["code"], "invalid_snapshot_token");
}

/// Entities that only the new filter selects would be missing.
#[tokio::test]
async fn a_snapshot_does_not_go_on_after_another_filter() {
    let system = System::start().await;
    for number in 0..600 {
        system.publish(&vehicle("entityCreated", &format!("v{number}"), &json!({ "n": number }))).await;
    }
    system.local.settled().await;
    let mut client = system.connect("tenant=demo&subscribe=none").await;
    client.send(r#"{"action":"subscribe","q":"n>=0","snapshot":true,"requestId":"1"}"#).await;
    let (messages, answer) = until_answer(&mut client, "1").await;
    assert_eq!(messages.len(), 500);
    client.subscribe(&json!({ "q": "n<1000" })).await;
    let next = json!({ "action": "snapshot", "next": answer["snapshotNext"], "requestId": "2" });
    let refused = client.ask(&next).await;
    assert_eq!(refused["code"], "invalid_snapshot_token", "{refused}");
    client.subscribe(&json!({ "q": "n>=0" })).await;
    client.send(next.to_string()).await;
    let (messages, answer) = until_answer(&mut client, "2").await;
    assert_eq!((messages.len(), answer.get("snapshotNext")), (100, None), "{answer}");
}

#[tokio::test]
async fn a_snapshot_in_the_format_of_cloud_events_is_one() {
    let system = System::start().await;
    system.publish(&vehicle("entityCreated", "v1", &json!({ "speed": 10 }))).await;
    system.local.settled().await;
    let mut client = system.connect("tenant=demo&format=cloudevents").await;
    client.send(r#"{"action":"subscribe","snapshot":true,"requestId":"1"}"#).await;
    let (messages, _) = until_answer(&mut client, "1").await;
    let [message] = messages.as_slice() else { panic!("{messages:?}") };
    assert_eq!((&message["type"], &message["specversion"]), (&json!("entitySnapshot"), &json!("1.0")));
    assert_eq!((&message["subject"], &message["data"]["data"]), (&json!("v1"), &json!({ "speed": 10 })));
    assert_eq!(message["id"], message["data"]["id"]);
}

/// Entities in parts, while some of them change, also late or with another type, appear and vanish. `.ci/long` does it with 20,000.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snapshot_of_many_entities_that_change_meanwhile_ends_right() {
    let wanted = std::env::var("ENTITY_STREAM_SNAPSHOT_ENTITIES").ok().and_then(|number| number.parse().ok());
    let entities: usize = wanted.unwrap_or(2_000);
    let system = System::start().await;
    let publish = async |details: Vec<Value>| {
        for chunk in details.chunks(10) {
            system.put_events(chunk.iter().map(|detail| entry(&detail.to_string())).collect()).await;
        }
    };
    let id = |number: usize| format!("v{number}");
    publish(
        (0..entities).map(|number| vehicle("entityCreated", &id(number), &json!({ "n": number, "k": 0 }))).collect(),
    )
    .await;
    system.local.settled().await;
    let mut client = system.connect("tenant=demo&subscribe=none").await;
    let message = json!({
        "action": "subscribe", "entityTypes": ["Vehicle"], "wholeEntity": true, "snapshot": true, "requestId": "0",
    });
    client.send(message.to_string()).await;
    let mut model: BTreeMap<String, Value> =
        (0..entities).map(|number| (id(number), json!({ "n": number, "k": 0 }))).collect();
    let mut shown: BTreeMap<String, (u64, Option<Value>)> = BTreeMap::new();
    let mut in_snapshot = 0;
    let mut rng = fastrand::Rng::with_seed(7);
    for part in 0.. {
        // Each of these is changed once, so the order of the bus does not matter.
        let mut details = Vec::new();
        for number in (0..100).map(|step| (part * 100 + step) * 7 % entities) {
            let id = id(number);
            details.push(match rng.u8(0..9) {
                0..3 => {
                    model.remove(&id);
                    vehicle("entityDeleted", &id, &json!({}))
                }
                3 => {
                    let mut late = vehicle("entityUpdated", &id, &json!({ "k": -1 }));
                    late["timestamp"] = json!("2020-01-01T00:00:00Z");
                    late
                }
                other => {
                    model.get_mut(&id).unwrap()["k"] = json!(part + 1);
                    let mut update = vehicle("entityUpdated", &id, &json!({ "k": part + 1 }));
                    if other == 4 {
                        update["entityType"] = json!(["Van", "Vehicle"]);
                    }
                    update
                }
            });
            if rng.u8(0..20) == 0 {
                let id = format!("new{part}-{number}");
                model.insert(id.clone(), json!({ "n": 1 }));
                details.push(vehicle("entityCreated", &id, &json!({ "n": 1 })));
            }
        }
        publish(details).await;
        let (messages, answer) = until_answer(&mut client, &part.to_string()).await;
        for message in messages {
            take(&mut shown, &message);
        }
        in_snapshot += answer["snapshot"].as_u64().unwrap();
        let Some(next) = answer["snapshotNext"].as_str() else {
            assert!(part >= entities / 600, "a part without batches has 500 messages");
            break;
        };
        client
            .send(json!({ "action": "snapshot", "next": next, "requestId": (part + 1).to_string() }).to_string())
            .await;
    }
    system.local.settled().await;
    client.send(r#"{"action":"ping","requestId":"end"}"#).await;
    for message in until_answer(&mut client, "end").await.0 {
        take(&mut shown, &message);
    }
    assert!(in_snapshot as usize > entities * 9 / 10, "{in_snapshot}");
    let shown: BTreeMap<_, _> = shown.into_iter().filter_map(|(id, (_, data))| Some((id, data?))).collect();
    let wrong: Vec<_> = model.iter().filter(|(id, data)| shown.get(*id) != Some(data)).take(3).collect();
    assert!(wrong.is_empty() && shown.len() == model.len(), "{} and {}: {wrong:?}", shown.len(), model.len());
}

fn take(shown: &mut BTreeMap<String, (u64, Option<Value>)>, message: &Value) {
    let version = message["version"].as_u64().unwrap();
    let known = shown.entry(message["entityId"].as_str().unwrap().to_owned()).or_default();
    if version >= known.0 {
        let is_gone = message["type"] == "entityDeleted";
        *known = (version, (!is_gone).then(|| message["data"].clone()));
    }
}
