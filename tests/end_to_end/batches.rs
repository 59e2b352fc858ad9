//! Arrays of events: events with the same audience are read together, but each has its own result.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use entity_stream_connections::Connection;
use entity_stream_protocol::{Filter, GroupId};
use serde_json::{Value, json};

use crate::harness::proxy::{Fate, proxy};
use crate::harness::{Asked, Endpoint, Functions, Hands, Reply, System, envelope, room};

fn array(events: &[String]) -> String {
    format!("[{}]", events.join(","))
}

/// The connection and the event id of a message.
fn message(asked: &Asked) -> (String, String) {
    let event: Value = serde_json::from_slice(&asked.body).unwrap();
    let connection = asked.path.rsplit('/').next().unwrap().replace("%3D", "=");
    (connection, event["id"].as_str().unwrap().to_owned())
}

fn messages(api: &Endpoint) -> Vec<(String, String)> {
    api.asked().iter().map(message).collect()
}

fn pattern(connection: Connection, pattern: &str) -> Connection {
    Connection { subscriptions: vec![Filter::new(Vec::<&str>::new(), Some(pattern)).unwrap().into()], ..connection }
}

#[tokio::test]
async fn events_with_the_same_audience_read_it_once_and_arrive_in_order() {
    let (system, hands, requests) = (System::start().await, Hands::default(), Arc::new(AtomicUsize::new(0)));
    let counter = Arc::clone(&requests);
    let table = proxy(system.local.dynamodb_url(), move || {
        counter.fetch_add(1, Ordering::SeqCst);
        Fate::Pass
    })
    .await;
    let api = Endpoint::script([Reply::status(200)]).await;
    let (functions, _bus) = Functions::with_bus(&system, &table, &api, &hands, &[]).await;
    for id in ["FineAAAAAAAAAAA=", "FineBBBBBBBBBBB="] {
        functions.register(id, "demo").await;
    }
    requests.store(0, Ordering::SeqCst);
    let one = functions.broadcast(&envelope("e0", &room("demo", "r0")), 30).await.unwrap();
    let requests_for_one = requests.swap(0, Ordering::SeqCst);

    let events: Vec<_> = (1..=3).map(|n| envelope(&format!("e{n}"), &room("demo", &format!("r{n}")))).collect();
    let three = functions.broadcast(&array(&events), 30).await.unwrap();

    assert_eq!((one.delivered, three.delivered, three.matched), (2, 6, 6));
    // The types are read once, and each of the two further entities once.
    assert_eq!(requests.load(Ordering::SeqCst), requests_for_one + 2);
    assert!(three.read_capacity <= one.read_capacity + 2.0, "{} {}", three.read_capacity, one.read_capacity);
    for id in ["FineAAAAAAAAAAA=", "FineBBBBBBBBBBB="] {
        let received: Vec<_> = messages(&api).into_iter().filter(|(to, _)| to == id).map(|(_, event)| event).collect();
        assert_eq!(received, ["e0", "e1", "e2", "e3"], "{id}");
    }
}

#[tokio::test]
async fn each_connection_receives_the_events_that_it_matches() {
    let (system, hands) = (System::start().await, Hands::default());
    let api = Endpoint::script([Reply::status(200)]).await;
    let functions = Functions::new(&system, &api, &hands).await;
    let odd = pattern(functions.connection("OddAAAAAAAAAAAA=", "demo"), "[13]$");
    let member = |id| Connection {
        group: Some(GroupId::parse("team").unwrap()),
        ..pattern(functions.connection(id, "demo"), "[34]$")
    };
    for connection in [odd, member("TeamAAAAAAAAAAA="), member("TeamBBBBBBBBBBB=")] {
        functions.table.register(&connection).await.unwrap();
    }
    functions.register("AllAAAAAAAAAAAA=", "demo").await;
    functions.register("OtherAAAAAAAAAA=", "other").await;
    let mut events: Vec<_> = (1..=4).map(|n| envelope(&format!("e{n}"), &room("demo", &format!("r{n}")))).collect();
    events.push(envelope("o1", &room("other", "r1")));

    let report = functions.broadcast(&array(&events), 30).await.unwrap();

    assert_eq!(report.delivered, 4 + 2 + 2 + 1);
    let received = |prefix: &str| -> Vec<_> {
        let to = messages(&api).into_iter().filter(|(to, _)| to.starts_with(prefix));
        to.map(|(_, event)| event).collect()
    };
    assert_eq!(received("All"), ["e1", "e2", "e3", "e4"]);
    assert_eq!(received("Odd"), ["e1", "e3"]);
    assert_eq!(received("Team"), ["e3", "e4"], "one member each");
    assert_eq!(received("Other"), ["o1"]);
}

#[tokio::test]
async fn an_event_that_fails_is_repeated_without_the_others() {
    let (system, hands, broken) = (System::start().await, Hands::default(), Arc::new(AtomicBool::new(true)));
    let switch = Arc::clone(&broken);
    let api = Endpoint::new(move |asked| {
        let is_stuck = asked.path.contains("Stuck") && switch.load(Ordering::SeqCst);
        Reply::status(if is_stuck { 503 } else { 200 })
    })
    .await;
    let functions = Functions::new(&system, &api, &hands).await;
    functions.register("FineAAAAAAAAAAA=", "demo").await;
    let stuck = pattern(functions.connection("StuckAAAAAAAAAA=", "demo"), "r1$");
    functions.table.register(&stuck).await.unwrap();
    let events = array(&[envelope("e1", &room("demo", "r1")), envelope("e2", &room("demo", "r2"))]);

    let failure = functions.broadcast_as("r-1", &events, 6).await.unwrap_err();
    assert_eq!(failure.kind, "DeliveryIncomplete");
    assert!(failure.message.contains("1 of 2"), "{failure}");
    broken.store(false, Ordering::SeqCst);
    let report = functions.broadcast_as("r-1", &events, 30).await.unwrap();

    assert_eq!((report.delivered, report.duplicates), (2, 1));
    let count = |to: &str, event: &str| {
        messages(&api).iter().filter(|message| **message == (to.to_owned(), event.to_owned())).count()
    };
    assert_eq!((count("FineAAAAAAAAAAA=", "e1"), count("FineAAAAAAAAAAA=", "e2")), (2, 1));
}

#[tokio::test]
async fn an_event_that_occurs_twice_in_an_array_is_delivered_once() {
    let (system, hands) = (System::start().await, Hands::default());
    let api = Endpoint::script([Reply::status(200)]).await;
    let functions = Functions::new(&system, &api, &hands).await;
    functions.register("FineAAAAAAAAAAA=", "demo").await;
    let event = envelope("e1", &room("demo", "r1"));
    let report = functions.broadcast(&array(&[event.clone(), event]), 30).await.unwrap();
    assert_eq!((report.delivered, report.duplicates), (1, 1));
    assert_eq!(messages(&api).len(), 1);
}

#[tokio::test]
async fn each_event_of_a_batch_is_split_for_its_own_audience() {
    let (system, hands) = (System::start().await, Hands::default());
    let api = Endpoint::script([Reply::status(200)]).await;
    let url = system.local.dynamodb_url();
    let settings = &[("BROADCAST_SPLIT_AT", "5")];
    let (functions, mut bus) = Functions::with_bus(&system, &url, &api, &hands, settings).await;
    for n in 0..20 {
        let connection = functions.connection(&format!("c{n:010}AMCJA="), "demo");
        let wanted = if n < 3 { "." } else { "r1$" };
        functions.table.register(&pattern(connection, wanted)).await.unwrap();
    }
    // 20 connections match the first event, and 3 the second.
    let events = array(&[envelope("e1", &room("demo", "r1")), envelope("e2", &room("demo", "r2"))]);

    let first = functions.broadcast(&events, 30).await.unwrap();

    let continuations = bus.take();
    assert!(first.continued >= 3 && continuations.len() == first.continued, "{first:?}");
    for continuation in &continuations {
        let continuation: Value = serde_json::from_str(continuation).unwrap();
        assert_eq!(continuation["detail"]["event"]["id"], json!("e1"));
    }
    bus.run(&functions, continuations, 30).await;
    for (event, audience) in [("e1", 20), ("e2", 3)] {
        let mut received: Vec<_> = messages(&api).into_iter().filter(|(_, id)| id == event).map(|(to, _)| to).collect();
        assert_eq!(received.len(), audience, "{event}");
        received.sort();
        received.dedup();
        assert_eq!(received.len(), audience, "{event}: each connection once");
    }
}
