use std::collections::BTreeMap;
use std::time::Instant;

use entity_stream_protocol::{EntityChange, EpochMillis};
use serde_json::{Value, json};

use crate::harness::{listen, run, start, system};
use crate::server::EventBus;

#[tokio::test]
async fn publishes_the_count_and_every_event_arrives() {
    let system = system().await;
    let mut listener = listen(&system, "city", &["--count", "60"]).await;
    let args = ["simulate", "city", "--rate", "300", "--count", "60", "--endpoint-url", &system.http_url()];
    let ended = run(&args).await;
    assert_eq!(ended.code, Some(0));
    assert!(ended.stderr.starts_with("60 events published, "), "{ended:?}");
    assert_eq!(listener.exit().await.code(), Some(0));
}

#[tokio::test]
async fn holds_a_high_rate_in_full_batches() {
    let bus = EventBus::start(|_| None).await;
    let started = Instant::now();
    let args = ["simulate", "city", "--rate", "1000", "--count", "2000", "--endpoint-url", &bus.url];
    let ended = run(&args).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(started.elapsed().as_secs_f64() > 1.9, "not faster than it should be");
    let requests = bus.requests.lock().unwrap();
    assert_eq!(requests.iter().map(Vec::len).sum::<usize>(), 2000);
    assert_eq!(requests.len(), 200, "ten events each");
    assert!(requests.iter().flatten().all(|detail| EntityChange::parse(&detail.to_string()).is_ok()));
}

/// The details of 100 events that the command publishes with these options and the same seed.
async fn published(options: &[&str]) -> Vec<Value> {
    let bus = EventBus::start(|_| None).await;
    let args = ["simulate", "city", "--rate", "5000", "--count", "100", "--seed", "7", "--endpoint-url", &bus.url];
    let ended = run(&[&args[..], options].concat()).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let requests = bus.requests.lock().unwrap();
    requests.iter().flatten().cloned().collect()
}

#[tokio::test]
async fn the_entities_after_the_last_event_are_written_to_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("city.json");
    // Requests overtake each other, so the last change of an entity is one of those with its latest time.
    let mut last: BTreeMap<String, (EpochMillis, Vec<Option<Value>>)> = BTreeMap::new();
    for detail in published(&["--state", file.to_str().unwrap()]).await {
        let time = EpochMillis::from_rfc3339(detail["timestamp"].as_str().unwrap()).unwrap();
        let is_there = detail["type"] != "entityDeleted";
        let entity = is_there.then(|| json!({ "type": detail["entityType"], "data": detail["data"] }));
        let (latest, entities) = last.entry(detail["entityId"].as_str().unwrap().to_owned()).or_default();
        if time > *latest {
            (*latest, *entities) = (time, Vec::new());
        }
        if time == *latest {
            entities.push(entity);
        }
    }
    let written: BTreeMap<String, Value> = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    assert!(written.len() > 10);
    assert!(written.keys().all(|id| last.contains_key(id)));
    for (id, (_, entities)) in &last {
        let entity = written.get(id).cloned();
        assert!(entities.contains(&entity), "{id}: {entity:?}");
    }

    let missing = folder.path().join("missing/city.json");
    let args = ["simulate", "city", "--count", "1", "--state", missing.to_str().unwrap()];
    let ended = run(&args).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("cannot write"), "{ended:?}");
}

/// The attributes of each update, and the number of its changed attributes.
fn updates(details: &[Value]) -> impl Iterator<Item = (&serde_json::Map<String, Value>, usize)> {
    let updates = details.iter().filter(|detail| detail["type"] == "entityUpdated");
    updates.map(|detail| (detail["data"].as_object().unwrap(), detail["changedAttributes"].as_array().unwrap().len()))
}

#[tokio::test]
async fn whole_entities_in_ngsi_ld_are_the_default() {
    let details = published(&[]).await;
    assert!(details.iter().any(|detail| detail["entityType"] == json!(["Depot", "Building"])));
    let forms = ["Property", "GeoProperty", "LanguageProperty", "Relationship"];
    for (data, changed) in updates(&details) {
        assert!(data.len() >= 4 && changed >= 1, "{data:?}");
        assert!(data.values().all(|attribute| forms.contains(&attribute["type"].as_str().unwrap())), "{data:?}");
    }
    assert!(updates(&details).any(|(data, changed)| changed < data.len()));
}

#[tokio::test]
async fn changed_attributes_in_ngsi_v2_are_an_option() {
    let details = published(&["--format", "ngsi-v2", "--partial"]).await;
    assert!(details.iter().all(|detail| detail["entityType"].is_string()));
    assert!(updates(&details).all(|(data, changed)| data.len() == changed));
    assert!(updates(&details).flat_map(|(data, _)| data.values()).all(|attribute| attribute["metadata"].is_object()));
}

#[tokio::test]
async fn listeners_read_values_with_units() {
    let system = system().await;
    // A deletion has no values, and can be the first event of a vehicle.
    let filter = ["--entity-type", "Vehicle", "--trigger", "entityUpdated", "--count", "1"];
    let mut listener = listen(&system, "city", &filter).await;
    let args = ["simulate", "city", "--rate", "300", "--count", "60", "--endpoint-url", &system.http_url()];
    assert_eq!(run(&args).await.code, Some(0));
    let line = listener.prints(" Vehicle urn:ngsi-ld:Vehicle:").await;
    for part in ["location=[135.", " km/h ", "fuelLevel=", "% depot=urn:ngsi-ld:Depot:"] {
        assert!(line.contains(part), "{line}");
    }
    assert!(!line.contains('{'), "{line}");
}

#[tokio::test]
async fn ends_with_a_count_when_it_is_interrupted() {
    let system = system().await;
    let mut listener = listen(&system, "city", &[]).await;
    let mut simulation = start(&["simulate", "city", "--rate", "50", "--endpoint-url", &system.http_url()]);
    listener.prints("urn:ngsi-ld:").await;
    simulation.signal("INT").await;
    simulation.says("published, ").await;
    assert_eq!(simulation.exit().await.code(), Some(0));
}

#[tokio::test]
async fn a_rejection_is_told_and_counts() {
    let bus = EventBus::start(|_| Some("AccessDeniedException")).await;
    let ended = run(&["simulate", "city", "--rate", "100", "--count", "20", "--endpoint-url", &bus.url]).await;
    assert_eq!(ended.code, Some(1));
    assert_eq!(ended.stderr.matches("rejected: AccessDeniedException: as the test says").count(), 5, "{ended:?}");
    assert!(ended.stderr.contains("0 events published, 20 rejected"), "{ended:?}");
}
