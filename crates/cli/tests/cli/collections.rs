//! Live collections of the client against a local system.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::Duration;

use entity_stream_client::{Client, Entities, EntitiesItem, FilterFields, StreamItem, SubscriptionName};
use entity_stream_local::Local;
use serde_json::json;
use tokio::time::timeout;

use crate::cuts::Network;
use crate::harness::{PATIENCE, run_with, system};

/// The time without a change after which a collection is taken to be up to date.
const QUIET: Duration = Duration::from_secs(1);

/// The state of the entities that a test has published: the speed of each that is there.
type Expected = BTreeMap<String, u32>;

async fn publish(system: &Local, lines: &str) {
    let args = ["publish", "demo", "--file", "-", "--endpoint-url", &system.http_url()];
    let ended = run_with(&args, &[], lines).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

/// Changes at random, and their effect on the collection.
fn changes(random: &mut fastrand::Rng, count: u32, expected: &mut Expected, clock: &mut u64) -> String {
    let mut lines = String::new();
    for _ in 0..count {
        let id = format!("urn:{}", random.u32(0..12));
        let speed = random.u32(0..100);
        *clock += 1;
        let kind = match expected.contains_key(&id) {
            false => "entityCreated",
            true if random.u32(0..5) == 0 => "entityDeleted",
            true => "entityUpdated",
        };
        if kind == "entityDeleted" {
            expected.remove(&id);
        } else {
            expected.insert(id.clone(), speed);
        }
        // Times with a millisecond between them, in the past, give the changes an order on their own.
        let time = format!("2026-01-02T03:{:02}:{:02}.{:03}Z", *clock / 60_000, *clock / 1_000 % 60, *clock % 1_000);
        let change = json!({ "type": kind, "entityId": id, "entityType": "Vehicle", "data": { "speed": speed }, "timestamp": time });
        writeln!(lines, "{change}").unwrap();
    }
    lines
}

fn fast(expected: &Expected) -> BTreeSet<String> {
    expected.iter().filter(|(_, speed)| **speed > 50).map(|(id, speed)| format!("{id} {speed}")).collect()
}

/// Follows a collection until it is complete and nothing has come for a while. Checks that the changes lead to what it holds.
async fn follow(entities: &mut Entities, described: &mut BTreeMap<String, Option<u64>>) -> BTreeSet<String> {
    loop {
        match timeout(if entities.is_complete() { QUIET } else { PATIENCE }, entities.try_next()).await {
            Err(_) => break,
            Ok(item) => match item.unwrap().unwrap() {
                EntitiesItem::Added(entity) => {
                    assert!(described.insert(entity.id().to_owned(), entity.version()).is_none(), "{entity:?}");
                }
                EntitiesItem::Updated { before, after } => {
                    assert!(before.version() < after.version(), "{before:?} {after:?}");
                    assert_eq!(described.insert(after.id().to_owned(), after.version()), Some(before.version()));
                }
                EntitiesItem::Removed(entity) => {
                    assert_eq!(described.remove(entity.id()), Some(entity.version()));
                }
                _ => {}
            },
        }
    }
    assert!(entities.is_complete());
    assert_eq!(
        described.keys().map(String::as_str).collect::<Vec<_>>(),
        entities.iter().map(|entity| entity.id()).collect::<Vec<_>>()
    );
    entities.iter().map(|entity| format!("{} {}", entity.id(), entity.attribute("speed").unwrap())).collect()
}

#[tokio::test]
async fn a_collection_that_is_cut_off_again_and_again_has_what_matches() {
    let system = system().await;
    let server = system.websocket_url().trim_start_matches("ws://localhost:").parse().unwrap();
    let network = Network::start(([127, 0, 0, 1], server).into()).await;
    let (mut random, mut expected, mut clock) = (fastrand::Rng::with_seed(7), Expected::new(), 0);
    publish(&system, &changes(&mut random, 40, &mut expected, &mut clock)).await;
    let filter = FilterFields { q: Some("speed>50".to_owned()), ..FilterFields::default() };
    let client = Client::builder(&network.url, "demo").build().unwrap();
    let mut entities = client.entities(filter.check().unwrap()).unwrap();
    let mut described = BTreeMap::new();
    for round in 0..3 {
        let lines = changes(&mut random, 60, &mut expected, &mut clock);
        // Some of the changes come while it connects, and some while it has no connection.
        let publishing = async {
            let (first, second) = lines.split_at(lines.match_indices('\n').nth(29).unwrap().0 + 1);
            publish(&system, first).await;
            network.cut();
            publish(&system, second).await;
            system.settled().await;
        };
        let ((), _) = tokio::join!(publishing, follow(&mut entities, &mut described));
        let held = follow(&mut entities, &mut described).await;
        assert_eq!(held, fast(&expected), "round {round}");
    }
    entities.close().await;
}

#[tokio::test]
async fn a_large_snapshot_comes_in_parts() {
    let system = system().await;
    // The server reads 100 entities at once, and these have more than the 8 MB of a part.
    let note = "x".repeat(85_000);
    for half in [0..50, 50..101] {
        let lines: String = half
            .map(|number| {
                let id = format!("urn:{number:03}");
                let change = json!({ "type": "entityCreated", "entityId": id, "entityType": "Vehicle", "data": { "note": note } });
                format!("{change}\n")
            })
            .collect();
        publish(&system, &lines).await;
    }
    system.settled().await;
    let builder = || Client::builder(system.websocket_url(), "demo");
    let mut stream = builder().snapshots([SubscriptionName::DEFAULT]).connect().unwrap();
    let (mut before, mut after, mut is_subscribed) = (BTreeSet::new(), BTreeSet::new(), false);
    let entities = loop {
        match timeout(PATIENCE, stream.try_next()).await.unwrap().unwrap().unwrap() {
            StreamItem::Snapshot(entity) => {
                let part = if is_subscribed { &mut after } else { &mut before };
                assert!(part.insert(entity.message().entity_id.to_string()));
                assert!(stream.bookmark().is_none());
            }
            StreamItem::Subscribed { .. } => is_subscribed = true,
            StreamItem::SnapshotComplete { entities, .. } => break entities,
            StreamItem::Connected => {}
            other => panic!("{other:?}"),
        }
    };
    assert!(stream.bookmark().is_some());
    assert!(!before.is_empty() && !after.is_empty(), "{} and {}", before.len(), after.len());
    assert_eq!((entities, before.union(&after).count()), (101, 101));

    let mut entities = builder().build().unwrap().entities(FilterFields::default().check().unwrap()).unwrap();
    while !matches!(timeout(PATIENCE, entities.try_next()).await.unwrap().unwrap(), Some(EntitiesItem::Complete)) {}
    assert_eq!(entities.len(), 101);
}
