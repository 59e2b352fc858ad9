//! A system that stops delivers the accepted events, and names those that it cannot deliver.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use entity_stream_local::{Config, FunctionHost, FunctionNames, Times};
use serde_json::json;

use crate::harness::logs::Log;
use crate::harness::{Endpoint, Reply, System, config, request, room, until};

/// A system whose functions another process runs.
async fn system_with(lambda: &Endpoint, config: Config) -> System {
    let functions = FunctionHost::Lambda { endpoint: lambda.url.clone(), names: FunctionNames::default() };
    System::start_with(Config { functions, ..config }).await
}

#[tokio::test]
async fn accepted_events_are_delivered_before_the_system_stops() {
    let system = System::start().await;
    let mut client = system.connect("tenant=demo").await;
    for _ in 0..50 {
        system.publish(&room("demo", "r")).await;
    }
    let ((), ()) = tokio::join!(system.local.shutdown(), async {
        for _ in 0..50 {
            assert_eq!(client.event_id().await, "r");
        }
        assert_eq!(client.closed_at_once().await.0, 1001);
    });
}

#[tokio::test]
async fn events_that_cannot_be_delivered_in_time_are_named() {
    let (log, _guard) = Log::of_this_thread();
    let lambda = Endpoint::script([Reply::status(500)]).await;
    let times = Times { retry_delays: vec![Duration::from_secs(3600)], ..Times::default() };
    let system = system_with(&lambda, Config { times, drain: Duration::from_millis(50), ..config() }).await;
    for tenant in ["demo", "City", "demo", "no tenant"] {
        system.publish(&room(tenant, "not-to-be-logged")).await;
    }
    system.local.shutdown().await;
    let line = log.line("stopped before these accepted events were delivered");
    assert!(line.contains("events=4") && line.contains(r#"tenants="(no tenant): 1, city: 1, demo: 2""#), "{line}");
    assert!(!log.text().contains("not-to-be-logged"));
}

#[tokio::test]
async fn a_system_that_stops_accepts_no_events_but_continuations() {
    let works = Arc::new(AtomicBool::new(false));
    let working = Arc::clone(&works);
    let reply = move |_: &_| if working.load(Ordering::Relaxed) { Reply::json("{}") } else { Reply::status(500) };
    let lambda = Endpoint::new(reply).await;
    let times = Times { retry_delays: vec![Duration::from_millis(20); 10_000], ..Times::default() };
    let system = system_with(&lambda, Config { times, drain: Duration::from_secs(60), ..config() }).await;
    system.publish(&room("demo", "r")).await;
    let url = system.local.http_url();
    let put = async |source: &str| {
        let entry = json!({ "Source": source, "DetailType": "d", "Detail": room("demo", "r").to_string() });
        let body = json!({ "Entries": [entry] }).to_string();
        request("POST", &url, &[("x-amz-target", "AWSEvents.PutEvents")], body).await
    };
    tokio::join!(system.local.shutdown(), async {
        until("events are refused", async || {
            let answer = put("tests").await;
            answer.status == 503 && answer.header("x-amzn-errortype") == Some("ThrottlingException")
        })
        .await;
        assert_eq!(put("entity-stream").await.status, 200, "the rest of an accepted event");
        works.store(true, Ordering::Relaxed);
    });
}
