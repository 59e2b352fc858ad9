//! Clients change from one filter to another while events that match both flow.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use entity_stream_protocol::{ConnectionId, Filter};
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::harness::{Client, Functions, Hands, System, envelope, room};
use crate::receivers::{Receivers, connection, ids, register};

/// Receives the events before this answer.
async fn until(client: &mut Client, answer: &str, got: &mut HashSet<String>) {
    loop {
        let frame = client.json().await;
        match frame["entityId"].as_str() {
            Some(id) => {
                // The moment of each exchange is replayed, so many arrive again.
                got.insert(id.to_owned());
            }
            None => {
                assert_eq!(frame["type"], json!(answer), "{frame}");
                assert_eq!(frame.get("recovered"), None, "the moment of an exchange is replayed: {frame}");
                return;
            }
        }
    }
}

/// Changes to another filter and receives the events in between.
async fn change(client: &mut Client, filter: &Value, got: &mut HashSet<String>) {
    let mut message = filter.clone();
    message["action"] = json!("subscribe");
    message["requestId"] = json!("s");
    client.send(message.to_string()).await;
    until(client, "subscribed", got).await;
}

/// Receives the events under way. Once the events have settled, they arrive before the answer to a ping.
async fn rest(system: &System, client: &mut Client, got: &mut HashSet<String>) {
    system.local.settled().await;
    client.send(json!({ "action": "ping" }).to_string()).await;
    until(client, "pong", got).await;
}

fn assert_all(got: &HashSet<String>, published: u64) {
    let missing: Vec<_> = (0..published).map(|n| format!("n{n}")).filter(|id| !got.contains(id)).collect();
    assert!(missing.is_empty(), "{} of {published} are missing: {missing:?}", missing.len());
}

/// The most events of the test. The last fifteen seconds are replayed with each change, in at most 300 frames.
const MOST: u64 = 250;

/// The filter changes any number of times while an event is under way.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_between_all_types_and_one_type_misses_no_event_that_matches_both() {
    let filters = [json!({}), json!({ "entityTypes": ["Room"] }), json!({}), json!({ "entityTypes": ["Room", "Car"] })];
    let (system, next, stop) = (System::start().await, AtomicU64::new(0), AtomicBool::new(false));
    let mut client = system.connect("tenant=demo&entityTypes=Room").await;
    let mut got = HashSet::new();
    let publish = async || {
        while !stop.load(Ordering::SeqCst) {
            let one_more = |number| (number < MOST).then_some(number + 1);
            let Ok(number) = next.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_more) else { return };
            system.publish(&room("demo", &format!("n{number}"))).await;
        }
    };
    let changes = async {
        for filter in filters.iter().cycle().take(40) {
            change(&mut client, filter, &mut got).await;
        }
        stop.store(true, Ordering::SeqCst);
    };
    tokio::join!(join_all((0..4).map(|_| publish())), changes);
    rest(&system, &mut client, &mut got).await;
    assert_all(&got, next.load(Ordering::SeqCst));
}

/// The filter changes once while an event is under way.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_from_one_type_of_an_entity_to_another_misses_no_event() {
    const AT_ONCE: u64 = 20;
    const CHANGES: u64 = 12;
    let filters = [["B"].as_slice(), &["A"], &["C"], &["A", "X"]].map(|types| json!({ "entityTypes": types }));
    let system = System::start().await;
    let mut client = system.connect("tenant=demo&entityTypes=A").await;
    let mut got = HashSet::new();
    for (round, filter) in (0..CHANGES).zip(filters.iter().cycle()) {
        let publish = join_all((round * AT_ONCE..(round + 1) * AT_ONCE).map(async |number| {
            let mut event = room("demo", &format!("n{number}"));
            event["entityType"] = json!(["A", "B", "C"]);
            system.publish(&event).await;
        }));
        tokio::join!(publish, change(&mut client, filter, &mut got));
        rest(&system, &mut client, &mut got).await;
    }
    assert_all(&got, CHANGES * AT_ONCE);
}

/// Events are delivered once, although connections are read in several partitions.
#[tokio::test]
async fn a_connection_that_comes_to_want_all_types_counts_once() {
    let (system, receivers, hands) = (System::start().await, Receivers::start().await, Hands::default());
    let url = system.local.dynamodb_url();
    let settings = &[("BROADCAST_SPLIT_AT", "9")];
    let (functions, mut bus) = Functions::with_bus(&system, &url, &receivers.endpoint, &hands, settings).await;
    let (singles, members) = (ids("c", 6), ids("g", 3));
    for (ids, group) in [(&singles, None), (&members, Some("team"))] {
        register(&functions.table, ids.iter().map(|id| connection(id, hands.clock().now(), group))).await;
    }
    for id in singles.iter().chain(&members) {
        let id = ConnectionId::parse(id).unwrap();
        functions.table.subscribe(&id, &[Filter::default().into()], None, hands.clock().now()).await.unwrap();
    }
    for (n, types) in [json!("Room"), json!(["Room", "Car"]), json!("Car")].into_iter().enumerate() {
        let mut event = room("demo", "r1");
        event["entityType"] = types.clone();
        let ran = bus.run(&functions, vec![envelope(&format!("e{n}"), &event)], 60).await;
        assert_eq!(ran.reports.len(), 1, "nine connections are not split at nine: {types}");
        assert_eq!((ran.sum(|report| report.matched), ran.sum(|report| report.delivered)), (7, 7), "{types}");
    }
    assert!(receivers.received().values().all(|count| *count == 1));
}
