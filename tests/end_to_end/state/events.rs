use serde_json::{Value, json};

use crate::harness::{Functions, Hands, Reply, System, entry, envelope};

pub(crate) fn vehicle(kind: &str, id: &str, data: &Value) -> Value {
    json!({ "type": kind, "tenant": "demo", "entityId": id, "entityType": "Vehicle", "data": data })
}

#[tokio::test]
async fn each_view_shows_the_change_or_the_entity_with_its_version() {
    let system = System::start().await;
    let mut client = system.connect("tenant=demo&subscribe=none").await;
    client.subscribe(&json!({ "subscription": "plain" })).await;
    client.subscribe(&json!({ "subscription": "whole", "wholeEntity": true, "showChanges": true })).await;
    system.publish(&vehicle("entityCreated", "v1", &json!({ "speed": 1.0, "name": "bus" }))).await;
    let [plain, whole] = by_subscription(&mut client).await;
    assert_eq!((&plain["data"], &whole["data"]), (&json!({ "speed": 1.0, "name": "bus" }), &plain["data"]));
    assert_eq!(plain["version"], whole["version"]);
    assert!(whole.get("previous").is_none() && whole.get("partial").is_none(), "{whole}");
    let first = plain["version"].as_u64().unwrap();

    system.publish(&vehicle("entityUpdated", "v1", &json!({ "speed": 2.0 }))).await;
    let [plain, whole] = by_subscription(&mut client).await;
    assert_eq!(plain["data"], json!({ "speed": 2.0 }));
    assert_eq!(whole["data"], json!({ "speed": 2.0, "name": "bus" }));
    assert_eq!((plain.get("previous"), &whole["previous"]), (None, &json!({ "speed": 1.0 })));
    assert_eq!(whole["version"], json!(first + 1));

    let mut late = vehicle("entityUpdated", "v1", &json!({ "speed": 0.5, "line": 7 }));
    late["timestamp"] = json!("2020-01-01T00:00:00Z");
    system.publish(&late).await;
    let [plain, whole] = by_subscription(&mut client).await;
    assert_eq!((&plain["late"], &plain["data"]), (&json!(true), &json!({ "speed": 0.5, "line": 7 })));
    assert_eq!((&whole["late"], &whole["data"]), (&json!(true), &json!({ "speed": 2.0, "name": "bus" })));

    system.publish(&vehicle("entityDeleted", "v1", &json!({}))).await;
    let [plain, whole] = by_subscription(&mut client).await;
    assert_eq!((&plain["type"], &whole["type"]), (&json!("entityDeleted"), &json!("entityDeleted")));
    assert_eq!(whole["version"], json!(first + 2), "the late change altered nothing");
}

async fn by_subscription(client: &mut crate::harness::Client) -> [Value; 2] {
    let (one, other) = (client.json().await, client.json().await);
    if one["subscriptions"] == json!(["plain"]) { [one, other] } else { [other, one] }
}

/// Ten changes of an entity in one request, which the bus hands on in any order.
#[tokio::test]
async fn a_client_that_drops_smaller_versions_shows_the_last_of_ten_changes_at_once() {
    let system = System::start().await;
    let mut client = system.connect("tenant=demo&wholeEntity=true").await;
    for round in 0..4 {
        let id = format!("v{round}");
        let entries = (0..10).map(|number| {
            let mut detail = vehicle("entityUpdated", &id, &json!({ "count": number }));
            detail["timestamp"] = json!(format!("2026-01-02T03:04:05.{number:03}Z"));
            entry(&detail.to_string())
        });
        system.put_events(entries.collect()).await;
        let mut shown = Value::Null;
        for _ in 0..10 {
            let event = client.json().await;
            if shown["version"].as_u64() <= event["version"].as_u64() {
                shown = event;
            }
        }
        assert_eq!(shown["data"], json!({ "count": 9 }), "{shown}");
    }
}

#[tokio::test]
async fn an_entity_that_is_too_large_says_that_it_has_no_state() {
    let system = System::start().await;
    let mut client = system.connect("tenant=demo&wholeEntity=true").await;
    for part in ["a", "b"] {
        system.publish(&vehicle("entityUpdated", "v1", &json!({ part: "x".repeat(200_000) }))).await;
        let event = client.json().await;
        assert_eq!((&event["truncated"], &event["data"]), (&json!(true), &json!({})), "{event}");
        assert_eq!(event.get("state").is_some(), part == "b", "{event}");
    }
    system.publish(&vehicle("entityUpdated", "v1", &json!({ "c": 1 }))).await;
    let event = client.json().await;
    assert_eq!(
        (&event["state"], &event["data"], event.get("version")),
        (&json!("unavailable"), &json!({ "c": 1 }), None)
    );
}

/// Lambda repeats an attempt that failed after the state was written.
#[tokio::test]
async fn a_repeated_attempt_has_the_version_and_the_former_values_of_the_first() {
    let (system, hands) = (System::start().await, Hands::default());
    let connections = entity_stream_testing::Endpoint::new({
        let asked = std::sync::atomic::AtomicUsize::new(0);
        move |_| match asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed) {
            0 | 2 => Reply::status(200),
            _ => Reply::status(503),
        }
    })
    .await;
    let functions = Functions::with_settings(&system, &connections, &hands, STATES).await;
    let mut connection = functions.connection("C1=", "demo");
    let view = entity_stream_protocol::View::default().with_state(true, true);
    connection.subscriptions[0].view = view;
    functions.table.register(&connection).await.unwrap();
    // The bus's time of these events is long ago, so they may be repetitions, and only their timestamps tell the newer one.
    let publish = |id: &str, value: u32| {
        let mut detail = vehicle("entityUpdated", "v1", &json!({ "speed": value }));
        detail["timestamp"] = json!(format!("2026-01-02T03:04:0{value}Z"));
        envelope(id, &detail)
    };
    functions.broadcast(&publish("e1", 1), 29).await.unwrap();
    let failed = functions.broadcast_as("r2", &publish("e2", 2), 3).await;
    let _ = failed;
    let bodies: Vec<Value> =
        connections.asked().iter().map(|asked| serde_json::from_slice(&asked.body).unwrap()).collect();
    let of_second: Vec<_> = bodies.iter().filter(|body| body["id"] == "e2").collect();
    assert!(of_second.len() > 1, "{bodies:?}");
    assert!(of_second.windows(2).all(|pair| pair[0]["version"] == pair[1]["version"]), "{of_second:?}");
    functions.broadcast_as("r2", &publish("e2", 2), 3).await.ok();
    let bodies: Vec<Value> =
        connections.asked().iter().map(|asked| serde_json::from_slice(&asked.body).unwrap()).collect();
    let of_second: Vec<_> = bodies.iter().filter(|body| body["id"] == "e2").collect();
    for body in &of_second {
        assert_eq!(body["version"], json!(bodies[0]["version"].as_u64().unwrap() + 1), "{body}");
        assert_eq!((&body["previous"], &body["data"]), (&json!({ "speed": 1 }), &json!({ "speed": 2 })), "{body}");
    }
}

pub(crate) const STATES: &[(&str, &str)] = &[("WS_HISTORY_TABLE", "entity-stream-history")];
