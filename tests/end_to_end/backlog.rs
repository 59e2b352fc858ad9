//! Events that come faster than they are delivered: fair turns for the tenants, a bounded queue, and a truthful report.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use entity_stream_local::{Config, FunctionHost, FunctionNames, QueueCapacity, Times};
use entity_stream_publisher::{BusEntry, Publisher};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::harness::{Asked, Endpoint, PATIENCE, Reply, System, config, entry, request, room, until};

const ACCEPT: &str = r#"{"statusCode":200}"#;

fn behind(endpoint: &Endpoint, more: Config) -> Config {
    let functions = FunctionHost::Lambda { endpoint: endpoint.url.clone(), names: FunctionNames::default() };
    Config { functions, ..more }
}

fn is_broadcast(asked: &Asked) -> bool {
    asked.path.contains("/broadcast/")
}

/// The tenants and the entities of an invocation's events.
fn events(asked: &Asked) -> Vec<(String, String)> {
    let payload: Value = serde_json::from_slice(&asked.body).unwrap();
    let events = match payload {
        Value::Array(events) => events,
        event => vec![event],
    };
    let text = |event: &Value, name: &str| event["detail"][name].as_str().unwrap().to_owned();
    events.iter().map(|event| (text(event, "tenant"), text(event, "entityId"))).collect()
}

fn broadcasts(lambda: &Endpoint) -> Vec<Vec<(String, String)>> {
    lambda.asked().iter().filter(|asked| is_broadcast(asked)).map(events).collect()
}

async fn put(system: &System, tenant: &str, ids: impl IntoIterator<Item = usize>) -> Vec<Option<String>> {
    let ids: Vec<_> = ids.into_iter().collect();
    let mut codes = Vec::new();
    for ids in ids.chunks(10) {
        let entries = ids.iter().map(|id| entry(&room(tenant, &id.to_string()).to_string())).collect();
        let results = system.put_events(entries).await;
        codes.extend(results.into_iter().map(|result| result.error_code));
    }
    codes
}

/// Publishes 1,200 events in requests that run at once: more than the function takes of one tenant if it does not answer,
/// which is 4 single events and 28 batches of 32.
async fn flood(system: &System, tenant: &str) {
    let requests = (0..120).map(|n| put(system, tenant, n * 10..(n + 1) * 10));
    let codes = futures_util::future::join_all(requests).await.concat();
    assert!(codes.iter().all(Option::is_none), "{codes:?}");
}

async fn health(system: &System) -> Value {
    let answer = request("GET", &format!("{}/_local/health", system.local.http_url()), &[], "").await;
    assert_eq!(answer.status, 200);
    serde_json::from_slice(&answer.body).unwrap()
}

#[tokio::test]
async fn floods_of_other_tenants_delay_neither_an_event_nor_a_handshake() {
    // The function never answers for the floods, so they take all the places that they may, and most of their events wait.
    let lambda = Endpoint::new(|asked| match is_broadcast(asked) {
        true if events(asked)[0].0.starts_with("flood") => Reply::Never,
        _ => Reply::json(ACCEPT),
    })
    .await;
    let system = System::start_with(behind(&lambda, config())).await;
    tokio::join!(flood(&system, "flood1"), flood(&system, "flood2"));
    put(&system, "city", [1]).await;
    until("the other tenant's event is delivered", async || {
        broadcasts(&lambda).iter().flatten().any(|(tenant, _)| tenant == "city")
    })
    .await;
    system.connect("tenant=city").await;
    let floods = broadcasts(&lambda).iter().filter(|events| events[0].0.starts_with("flood")).count();
    assert!(floods <= 2 * 32, "{floods}");
    let backlog = &health(&system).await["backlog"];
    assert_eq!(backlog["tenants"].as_array().unwrap().len(), 2, "{backlog}");
}

#[tokio::test]
async fn waiting_events_of_one_tenant_are_invoked_together_in_their_order() {
    let lambda = Endpoint::script([Reply::json("{}")]).await;
    let system = System::start_with(behind(&lambda, config())).await;
    let (first, second) = tokio::join!(put(&system, "demo", 0..200), put(&system, "city", 0..200));
    assert!(first.iter().chain(&second).all(Option::is_none));
    system.local.settled().await;
    let invocations = broadcasts(&lambda);
    for tenant in ["demo", "city"] {
        let events: Vec<_> = invocations.iter().flatten().filter(|(name, _)| name == tenant).collect();
        assert_eq!(events.len(), 200, "{tenant}: each event once");
    }
    for events in &invocations {
        assert!(events.len() <= 32 && events.iter().all(|(tenant, _)| *tenant == events[0].0), "{events:?}");
        let numbers: Vec<usize> = events.iter().map(|(_, id)| id.parse().unwrap()).collect();
        assert!(numbers.is_sorted(), "{numbers:?}");
    }
    // Ten entries of one request: eight places are free for single events, and the others wait.
    assert!(invocations.iter().any(|events| events.len() > 1), "{invocations:?}");
}

#[tokio::test]
async fn events_without_a_backlog_are_invoked_one_by_one() {
    let lambda = Endpoint::script([Reply::json("{}")]).await;
    let system = System::start_with(behind(&lambda, config())).await;
    for number in 0..3 {
        put(&system, "demo", [number]).await;
        system.local.settled().await;
    }
    assert!(lambda.asked().iter().all(|asked| asked.body.starts_with(b"{")));
}

#[tokio::test]
async fn the_events_of_a_failed_invocation_are_retried_alone() {
    // An invocation fails if it has the event 9 among others, as it does because of one event. Alone, all others succeed.
    let lambda = Endpoint::new(|asked| match events(asked).iter().any(|(_, id)| id == "9") {
        true => {
            let error = r#"{"errorType":"DeliveryIncomplete","errorMessage":"1 of 10"}"#;
            Reply::Status(200, &[("x-amz-function-error", "Unhandled")], error.to_owned())
        }
        false => Reply::json("{}"),
    })
    .await;
    let system = System::start_with(behind(&lambda, config())).await;
    put(&system, "demo", 0..10).await;
    system.local.settled().await;

    let letters = system.dead_letters().await;
    assert_eq!(letters.len(), 1, "{letters:?}");
    let letter = &letters[0];
    assert_eq!((&letter["errorCode"], &letter["attempts"]), (&json!("DeliveryIncomplete"), &json!(3)));
    assert_eq!(letter["event"]["detail"]["entityId"], "9");
    let invocations = broadcasts(&lambda);
    let together = invocations.iter().find(|events| events.iter().any(|(_, id)| id == "9")).unwrap();
    assert!(together.len() > 1, "{invocations:?}");
    for id in 0..10 {
        let id = id.to_string();
        let attempts = invocations.iter().filter(|events| events.iter().any(|(_, other)| *other == id)).count();
        let is_together = together.iter().any(|(_, other)| *other == id);
        let expected = if id == "9" { 3 } else { 1 + usize::from(is_together) };
        assert_eq!(attempts, expected, "{id}: {invocations:?}");
    }
}

#[tokio::test]
async fn the_function_in_this_process_delivers_each_event_of_a_batch_once() {
    let system = System::start().await;
    let mut client = system.connect("tenant=demo").await;
    put(&system, "demo", 0..10).await;
    let mut received = Vec::new();
    for _ in 0..10 {
        received.push(client.event_id().await);
    }
    received.sort();
    assert_eq!(received, (0..10).map(|id| id.to_string()).collect::<Vec<_>>());
    client.nothing_more(&system).await;
}

#[tokio::test]
async fn beyond_the_capacity_of_a_tenant_its_entries_are_throttled_and_no_others() {
    let opened = Arc::new(AtomicBool::new(false));
    let gate = Arc::clone(&opened);
    let lambda = Endpoint::new(move |_| match gate.load(Ordering::SeqCst) {
        true => Reply::json("{}"),
        false => Reply::After(Duration::from_millis(200), Box::new(Reply::status(500))),
    })
    .await;
    let queue = QueueCapacity { events: 20, ..QueueCapacity::default() };
    let times = Times { retry_delays: vec![Duration::from_millis(50); 1000], ..config().times };
    let system = System::start_with(behind(&lambda, Config { queue, times, ..config() })).await;

    let codes = put(&system, "demo", 0..20).await;
    assert!(codes[..10].iter().all(Option::is_none), "a tenant may hold as much as is free: {codes:?}");
    assert!(codes[10..].iter().all(|code| code.as_deref() == Some("ThrottlingException")), "{codes:?}");
    assert!(put(&system, "city", 0..5).await.iter().all(Option::is_none), "the other tenant is not refused");
    let throttled = system.put_events(vec![entry(&room("demo", "one more").to_string())]).await;
    assert!(throttled[0].error_message().unwrap().starts_with("Rate exceeded."), "{throttled:?}");
    let backlog = &health(&system).await["backlog"];
    assert_eq!(backlog["refused"], 11);
    assert_eq!(backlog["events"].as_u64().unwrap() + backlog["underWay"].as_u64().unwrap(), 15, "{backlog}");

    // `publish` and `simulate` publish in this way: they retry until there is room again.
    let publisher = Publisher::to_default_bus(system.events.clone());
    let change = BusEntry::change("tests", room("demo", "retried").to_string()).unwrap();
    let publishing = tokio::spawn(async move { publisher.publish(&[change], Instant::now() + PATIENCE).await });
    until("it is refused at first", async || health(&system).await["backlog"]["refused"].as_u64() > Some(11)).await;
    opened.store(true, Ordering::SeqCst);
    assert!(publishing.await.unwrap()[0].is_ok());
    system.local.settled().await;
    assert!(put(&system, "demo", 0..10).await.iter().all(Option::is_none));
}

#[tokio::test]
async fn the_backlog_is_told_with_its_age_and_its_reason() {
    let opened = Arc::new(AtomicBool::new(false));
    let gate = Arc::clone(&opened);
    let lambda = Endpoint::new(move |asked| match is_broadcast(asked) && !gate.load(Ordering::SeqCst) {
        true => Reply::After(Duration::from_secs(8), Box::new(Reply::json("{}"))),
        false => Reply::json(ACCEPT),
    })
    .await;
    let system = System::start_with(behind(&lambda, config())).await;
    let fresh = &health(&system).await["backlog"];
    assert_eq!(
        (&fresh["events"], &fresh["oldestMilliseconds"], &fresh["reason"]),
        (&json!(0), &json!(0), &Value::Null)
    );

    flood(&system, "demo").await;
    until("the oldest event has waited for a second", async || !health(&system).await["backlog"]["reason"].is_null())
        .await;
    let backlog = &health(&system).await["backlog"];
    assert!(backlog["oldestMilliseconds"].as_u64() >= Some(1000), "{backlog}");
    let demo = &backlog["tenants"][0];
    assert_eq!(demo["tenant"], "demo", "{backlog}");
    assert!(demo["events"].as_u64() > Some(0) && demo["bytes"].as_u64() > demo["events"].as_u64(), "{backlog}");
    assert!(!backlog["reason"].as_str().unwrap().is_empty(), "{backlog}");
    let status = request("GET", &format!("{}/_local/status", system.local.http_url()), &[], "").await;
    let status: Value = serde_json::from_slice(&status.body).unwrap();
    assert!(status["backlog"]["events"].is_u64(), "the page shows the same: {status}");

    opened.store(true, Ordering::SeqCst);
    system.local.settled().await;
    let end = &health(&system).await["backlog"];
    assert_eq!((&end["events"], &end["underWay"], &end["reason"]), (&json!(0), &json!(0), &Value::Null));
}
