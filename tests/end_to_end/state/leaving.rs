use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::events::vehicle;
use crate::harness::{Client, System};

/// The set that a client shows of a circle: events add, `entityLeft` and deletions remove, smaller versions are dropped.
#[derive(Default)]
struct Shown {
    versions: BTreeMap<String, u64>,
    inside: BTreeSet<String>,
    position: Value,
    session: Value,
}

impl Shown {
    fn take(&mut self, message: &Value) {
        if let Some(events) = message["events"].as_array() {
            return events.iter().for_each(|event| self.take(event));
        }
        let id = message["entityId"].as_str().unwrap().to_owned();
        let version = message["version"].as_u64().unwrap_or_else(|| panic!("a version: {message}"));
        if self.versions.get(&id).is_some_and(|known| version < *known) {
            return;
        }
        self.versions.insert(id.clone(), version);
        match message["type"].as_str().unwrap() {
            "entityLeft" | "entityDeleted" => self.inside.remove(&id),
            _ => self.inside.insert(id),
        };
        if let Some(position) = message["position"].as_str()
            && self.position.as_str().is_none_or(|known| known < position)
        {
            self.position = json!(position);
        }
    }

    /// Receives everything until the answer to a `sync`.
    async fn settle(&mut self, client: &mut Client, system: &System) {
        system.local.settled().await;
        client.send(r#"{"action":"sync","requestId":"sync"}"#).await;
        loop {
            let message = client.json().await;
            if message["requestId"] == "sync" {
                self.position = message["position"].clone();
                return;
            }
            self.take(&message);
        }
    }

    async fn subscribe(&mut self, client: &mut Client, with: &Value) -> Value {
        let mut message = json!({
            "action": "subscribe", "requestId": "s", "entityTypes": ["Vehicle"], "wholeEntity": true,
            "geoQ": { "georel": "near;maxDistance==1000", "geometry": "Point", "coordinates": [139.7, 35.6] },
        });
        message.as_object_mut().unwrap().extend(with.as_object().unwrap().clone());
        client.send(message.to_string()).await;
        loop {
            let message = client.json().await;
            if message["requestId"] == "s" {
                self.position = message["position"].clone();
                self.session = message["session"].clone();
                return message;
            }
            self.take(&message);
        }
    }
}

/// A place inside the circle, or outside.
fn place(is_inside: bool, rng: &mut fastrand::Rng) -> Value {
    let away = if is_inside { rng.f64() * 0.005 } else { 0.05 + rng.f64() };
    json!({ "type": "Point", "coordinates": [139.7 + away, 35.6] })
}

/// What a change says of the place of a vehicle.
#[derive(Clone, Copy, PartialEq)]
enum PlaceChange {
    Inside,
    Outside,
    /// A change that says nothing about the place.
    Same,
    Deleted,
}

/// The changes of the vehicles, by vehicle and time. They count in the order of their times, whatever their order on the bus was.
#[derive(Default)]
struct Traffic {
    changes: BTreeMap<String, BTreeMap<u64, PlaceChange>>,
    now: u64,
}

impl Traffic {
    fn inside(&self) -> BTreeSet<String> {
        let last = |changes: &BTreeMap<u64, PlaceChange>| {
            changes.values().rev().copied().find(|change| *change != PlaceChange::Same)
        };
        let inside = self.changes.iter().filter(|(_, changes)| last(changes) == Some(PlaceChange::Inside));
        inside.map(|(id, _)| id.clone()).collect()
    }

    /// A change of a vehicle, now or, as a late one, some time ago.
    fn drive(&mut self, rng: &mut fastrand::Rng) -> Value {
        let id = format!("v{}", rng.u8(0..6));
        self.now += 100;
        let changes = self.changes.entry(id.clone()).or_default();
        // No two changes of a vehicle have the same time.
        let ago = |rng: &mut fastrand::Rng| if rng.u8(0..4) == 0 { rng.u64(1..1_000) } else { 0 };
        let at = std::iter::repeat_with(|| self.now - ago(rng)).find(|at| !changes.contains_key(at)).unwrap();
        let (change, kind, data) = match rng.u8(0..8) {
            0 => (PlaceChange::Deleted, "entityDeleted", json!({})),
            1 | 2 => (PlaceChange::Same, "entityUpdated", json!({ "speed": rng.u8(..) })),
            other => {
                let is_inside = rng.bool();
                let change = if is_inside { PlaceChange::Inside } else { PlaceChange::Outside };
                let kind = if other == 3 { "entityCreated" } else { "entityUpdated" };
                (change, kind, json!({ "location": { "type": "GeoProperty", "value": place(is_inside, rng) } }))
            }
        };
        changes.insert(at, change);
        let mut detail = vehicle(kind, &id, &data);
        let (minutes, seconds, millis) = (at / 60_000, at / 1_000 % 60, at % 1_000);
        detail["timestamp"] = json!(format!("2026-01-01T00:{minutes:02}:{seconds:02}.{millis:03}Z"));
        detail
    }
}

/// Vehicles move in and out of a circle, appear and vanish, while a client drops and resumes. Changes are late, and many are under
/// way at the same time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_each_quiet_moment_the_set_of_the_client_is_the_set_inside() {
    for seed in 0..3 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let system = System::start().await;
        let mut traffic = Traffic { now: 60_000, ..Traffic::default() };
        let mut shown = Shown::default();
        let mut client = Some(system.connect("tenant=demo&subscribe=none&batch=true").await);
        shown.subscribe(client.as_mut().unwrap(), &json!({ "snapshot": true })).await;
        for round in 0..25 {
            for _ in 0..rng.usize(1..12) {
                system.publish(&traffic.drive(&mut rng)).await;
                if rng.u8(0..4) == 0 {
                    system.local.settled().await;
                }
            }
            match client.take() {
                Some(open) if rng.u8(0..3) == 0 => {
                    // Whatever is under way is lost.
                    drop(open);
                    system.until_no_connection_is_registered().await;
                }
                Some(mut open) => {
                    shown.settle(&mut open, &system).await;
                    assert_eq!(shown.inside, traffic.inside(), "seed {seed}, round {round}");
                    client = Some(open);
                }
                None => {
                    let mut open = system.connect("tenant=demo&subscribe=none&batch=true").await;
                    let since = json!({ "position": shown.position, "session": shown.session });
                    let answer = shown.subscribe(&mut open, &json!({ "since": since, "snapshot": true })).await;
                    assert_eq!(answer["recovered"], json!(true), "{answer}");
                    shown.settle(&mut open, &system).await;
                    assert_eq!(shown.inside, traffic.inside(), "seed {seed}, round {round}, resumed");
                    client = Some(open);
                }
            }
        }
    }
}

#[tokio::test]
async fn an_entity_that_leaves_is_told_once_with_the_envelope_and_without_data() {
    let system = System::start().await;
    let mut client = system.connect("tenant=demo&subscribe=none").await;
    let filter = json!({ "subscription": "fast", "q": "speed>50", "watchedAttributes": ["name"], "notificationTrigger": ["entityCreated"] });
    client.subscribe(&filter).await;
    system.publish(&vehicle("entityCreated", "v1", &json!({ "speed": 60 }))).await;
    let created = client.json().await;
    system.publish(&vehicle("entityUpdated", "v1", &json!({ "speed": 40 }))).await;
    let left = client.json().await;
    assert_eq!((&left["type"], &left["entityId"]), (&json!("entityLeft"), &json!("v1")));
    assert_eq!(left["subscriptions"], json!(["fast"]));
    assert_eq!(left["version"], json!(created["version"].as_u64().unwrap() + 1));
    for field in ["id", "tenant", "servicePath", "entityType", "timestamp", "position"] {
        assert!(left.get(field).is_some(), "{field}: {left}");
    }
    for field in ["data", "changedAttributes", "previous"] {
        assert!(left.get(field).is_none(), "{field}: {left}");
    }
    // It is outside, and stays outside.
    system.publish(&vehicle("entityUpdated", "v1", &json!({ "speed": 30 }))).await;
    system.publish(&vehicle("entityUpdated", "v2", &json!({ "speed": 30 }))).await;
    client.nothing_more(&system).await;
}
