//! The function before a bus that fails.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use entity_stream_auth::Role;
use entity_stream_clock::Clock;
use entity_stream_ingest::Ingest;
use entity_stream_local::{API_KEYS_TABLE, aws_config};
use entity_stream_runtime::{AwsServices, Environment, IngestConfig};
use serde_json::{Value, json};

use super::v2;
use crate::auth::{Counts, guarded};
use crate::harness::tokens::SECRET;
use crate::harness::{Asked, Endpoint, Reply, lambda_event, result};

async fn ingest(bus: &Endpoint, settings: &'static [(&'static str, &'static str)]) -> Ingest {
    let usual = [("INGEST_ENABLED", "true"), ("EVENT_STREAMING_ENABLED", "true"), ("AUTH_ENABLED", "false")];
    let environment = Environment::new(move |name| {
        settings.iter().chain(&usual).find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
    });
    let config = IngestConfig::read(&environment).unwrap();
    Ingest::new(config, &AwsServices::all(aws_config(&bus.url)), Clock::system()).await.unwrap()
}

async fn notified(ingest: &Ingest, body: &str) -> Value {
    notified_with(ingest, &json!({ "fiware-service": "city" }), body).await
}

async fn notified_with(ingest: &Ingest, headers: &Value, body: &str) -> Value {
    let event = json!({
        "version": "2.0", "rawPath": "/notify", "headers": headers,
        "requestContext": { "http": { "method": "POST", "path": "/notify" } }, "body": body, "isBase64Encoded": false,
    });
    result(&ingest.handle(lambda_event(&event.to_string())).await.unwrap())
}

fn entries(asked: &Asked) -> Vec<Value> {
    let request: Value = serde_json::from_slice(&asked.body).unwrap();
    request["Entries"].as_array().unwrap().clone()
}

/// An answer of the bus with these error codes, or none.
fn answer(codes: impl IntoIterator<Item = Option<&'static str>>) -> Reply {
    let results: Vec<Value> = codes
        .into_iter()
        .map(|code| match code {
            Some(code) => json!({ "ErrorCode": code, "ErrorMessage": "no" }),
            None => json!({ "EventId": "e" }),
        })
        .collect();
    let failed = results.iter().filter(|result| result["EventId"].is_null()).count();
    Reply::json(json!({ "FailedEntryCount": failed, "Entries": results }).to_string())
}

fn rooms(count: usize) -> String {
    v2(&(0..count).map(|i| json!({ "id": format!("r{i}"), "type": "Room", "n": i })).collect::<Vec<_>>())
}

#[tokio::test]
async fn entries_that_the_bus_throttles_are_sent_again_and_then_all_is_published() {
    let asked = AtomicUsize::new(0);
    let bus = Endpoint::new(move |request| {
        let first = asked.fetch_add(1, Ordering::Relaxed) == 0;
        answer(entries(request).iter().enumerate().map(|(i, _)| (first && i % 2 == 1).then_some("ThrottlingException")))
    })
    .await;
    let ingest = ingest(&bus, &[]).await;
    assert_eq!(notified(&ingest, &rooms(10)).await["statusCode"], 204);
    let sent: Vec<usize> = bus.asked().iter().map(|asked| entries(asked).len()).collect();
    assert_eq!(sent, [10, 5], "what the bus has is not sent again");
}

#[tokio::test]
async fn a_bus_that_stays_busy_is_a_503_with_the_number_of_entities_that_wait() {
    let bus = Endpoint::new(|request| {
        answer(
            entries(request)
                .iter()
                .map(|entry| entry["Detail"].as_str().unwrap().contains("\"r3\"").then_some("ThrottlingException")),
        )
    })
    .await;
    let ingest = ingest(&bus, &[]).await;
    let result = notified(&ingest, &rooms(10)).await;
    let problem: Value = serde_json::from_str(result["body"].as_str().unwrap()).unwrap();
    assert_eq!((&result["statusCode"], &result["headers"]["retry-after"]), (&json!(503), &json!("5")));
    assert_eq!(problem["published"], 9);
    assert!(problem["detail"].as_str().unwrap().starts_with("1 of the entities"), "{problem}");
}

#[tokio::test]
async fn a_slow_table_of_keys_and_a_slow_bus_have_one_deadline() {
    let system = guarded(&[]).await;
    let key = super::access::key(&system, "orion", Role::Publisher, &["city"], None).await;
    let table = system.local.dynamodb_url();
    let services = Endpoint::new(move |request| {
        match request.headers.get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default() {
            "DynamoDB_20120810.GetItem" => Reply::After(Duration::from_secs(2), Box::new(Reply::From(table.clone()))),
            target if target.starts_with("DynamoDB") => Reply::From(table.clone()),
            _ => Reply::Never,
        }
    })
    .await;
    let settings = &[("AUTH_ENABLED", "true"), ("JWT_SECRET", SECRET), ("WS_API_KEYS_TABLE", API_KEYS_TABLE)];
    let ingest = ingest(&services, settings).await;
    let started = Instant::now();
    let headers = json!({ "fiware-service": "city", "authorization": key });
    let result = notified_with(&ingest, &headers, &rooms(1)).await;
    let taken = started.elapsed();
    assert_eq!(result["statusCode"], 503, "{result}");
    assert!(result["body"].as_str().unwrap().contains(":unpublished"), "the credential was checked: {result}");
    assert!(taken < Duration::from_millis(5500), "a broker has given up after {taken:?}");
}

#[tokio::test]
async fn a_bus_that_refuses_or_does_not_answer_is_never_a_204() {
    let denied = Reply::Status(
        400,
        &[("content-type", "application/x-amz-json-1.1")],
        r#"{"__type":"AccessDeniedException","message":"no"}"#.to_owned(),
    );
    for reply in [denied, Reply::Reset, Reply::json("{}")] {
        let bus = Endpoint::script([reply.clone()]).await;
        let ingest = ingest(&bus, &[]).await;
        let result = notified(&ingest, &rooms(1)).await;
        assert_eq!(result["statusCode"], 503, "{reply:?}: {result}");
    }
}

#[tokio::test]
async fn an_entity_that_the_bus_refuses_for_good_is_named() {
    let bus = Endpoint::new(|request| {
        answer(
            entries(request)
                .iter()
                .map(|entry| entry["Detail"].as_str().unwrap().contains("\"r3\"").then_some("MalformedDetail")),
        )
    })
    .await;
    let ingest = ingest(&bus, &[]).await;
    let result = notified(&ingest, &rooms(5)).await;
    let problem: Value = serde_json::from_str(result["body"].as_str().unwrap()).unwrap();
    assert_eq!((&result["statusCode"], &problem["published"]), (&json!(400), &json!(4)));
    assert_eq!((&problem["refused"][0]["index"], &problem["refused"][0]["id"]), (&json!(3), &json!("r3")));
    assert!(problem["refused"][0]["reason"].as_str().unwrap().contains("MalformedDetail"), "{problem}");
}

#[tokio::test]
async fn a_large_notification_is_split_within_the_limits_of_the_bus() {
    let bus = Endpoint::new(|request| answer(entries(request).iter().map(|_| None))).await;
    let ingest = ingest(&bus, &[("INGEST_SOURCE", "my.broker")]).await;
    let large = |i: usize| json!({ "id": format!("r{i}"), "type": "Room", "blob": "x".repeat(400_000) });
    let body = v2(&(0..12)
        .map(large)
        .chain((12..60).map(|i| json!({ "id": format!("r{i}"), "type": "T" })))
        .collect::<Vec<_>>());
    assert_eq!(notified(&ingest, &body).await["statusCode"], 204);
    let mut ids = Vec::new();
    for asked in bus.asked() {
        let entries = entries(&asked);
        let bytes: usize = entries.iter().map(|entry| entry["Detail"].as_str().unwrap().len()).sum();
        assert!(entries.len() <= 10 && bytes < 1_000_000, "{} entries of {bytes} bytes", entries.len());
        assert!(entries.iter().all(|entry| entry["Source"] == "my.broker"));
        let details =
            entries.iter().map(|entry| serde_json::from_str::<Value>(entry["Detail"].as_str().unwrap()).unwrap());
        ids.extend(details.map(|detail| detail["entityId"].as_str().unwrap().to_owned()));
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 60, "each once");
}

#[tokio::test]
async fn a_refused_notification_of_a_sender_with_a_credential_counts() {
    let system = guarded(&[]).await;
    let bus = Endpoint::new(|request| answer(entries(request).iter().map(|_| None))).await;
    let settings = &[("AUTH_ENABLED", "true"), ("JWT_SECRET", SECRET), ("WS_API_KEYS_TABLE", API_KEYS_TABLE)];
    let tables = Endpoint::new({
        let (table, bus) = (system.local.dynamodb_url(), bus.url.clone());
        move |request| match request.headers.get("x-amz-target").and_then(|target| target.to_str().ok()) {
            Some(target) if target.starts_with("DynamoDB") => Reply::From(table.clone()),
            _ => Reply::From(bus.clone()),
        }
    })
    .await;
    let ingest = ingest(&tables, settings).await;
    let publisher = super::access::key(&system, "orion", Role::Publisher, &["city"], None).await;
    let listener = super::access::key(&system, "dashboard", Role::User, &["city"], None).await;
    let counts = Counts::default();
    let _recorder = metrics::set_default_local_recorder(&counts);
    let (room, nothing) = (rooms(1), "{}".to_owned());
    for (tenant, key, body, status, counted) in [
        ("city", &publisher, &room, 204, 0),
        ("other", &publisher, &room, 403, 1),
        ("city", &listener, &room, 403, 2),
        ("", &publisher, &room, 400, 3),
        ("city", &publisher, &nothing, 400, 4),
        ("city", &"Bearer a.b.c".to_owned(), &room, 401, 4),
    ] {
        let result = notified_with(&ingest, &json!({ "fiware-service": tenant, "authorization": key }), body).await;
        assert_eq!(result["statusCode"], status, "{result}");
        assert_eq!(counts.of("RefusedNotifications"), counted, "{result}");
    }
}
