//! Values of entities stay out of logs and of the reasons of dead letters.

use serde_json::{Value, json};

use crate::harness::logs::Log;
use crate::harness::{Endpoint, Functions, Hands, Reply, System, envelope, lambda_event, room};

const SECRET: &str = "4111-1111-1111-1111";
/// A part that no time has.
const PART: &str = "4111-";
/// The crates whose log is searched: those that a broadcast runs.
const CRATES: [&str; 6] = ["broadcast", "connections", "delivery", "protocol", "publisher", "runtime"];

/// Events with a secret in each field, in values of every wrong type.
fn events() -> Vec<String> {
    let secrets = [
        json!(format!("{SECRET} ")),
        json!([SECRET, 7]),
        json!([[SECRET]]),
        json!({ "number": SECRET }),
        json!(format!("{SECRET}, expected {SECRET}").repeat(40)),
    ];
    let fields = ["type", "tenant", "servicePath", "entityId", "entityType", "data", "changedAttributes", "timestamp"];
    let mut details = Vec::new();
    for field in fields {
        for secret in &secrets {
            let mut detail = room("demo", "r1");
            detail[field] = secret.clone();
            details.push(detail);
        }
    }
    details.extend([json!(SECRET), json!([SECRET]), json!({ SECRET: SECRET })]);
    let mut events: Vec<String> = (0..).zip(&details).map(|(n, detail)| envelope(&format!("e{n}"), detail)).collect();
    for field in ["event", "ranges", "depth", "type"] {
        for secret in &secrets {
            let mut detail = json!({ "type": "entityUpdated", "event": {}, "ranges": ["0-1"], "depth": 1 });
            detail[field] = secret.clone();
            let mut event: Value = serde_json::from_str(&envelope("forged", &detail)).unwrap();
            event["source"] = json!("entity-stream");
            event["detail-type"] = json!("EntityStreamContinuation");
            events.push(event.to_string());
        }
    }
    let mut timeless: Value = serde_json::from_str(&envelope("timeless", &room("demo", "r1"))).unwrap();
    timeless["time"] = json!(SECRET);
    events.extend([timeless.to_string(), json!(SECRET).to_string(), json!([SECRET, { "detail": SECRET }]).to_string()]);
    events
}

#[tokio::test]
async fn a_publishers_values_are_in_no_log_and_in_no_reason() {
    let system = System::start().await;
    let api = Endpoint::script([Reply::status(200)]).await;
    let functions = Functions::new(&system, &api, &Hands::default()).await;
    functions.register("FineAAAAAAAAAAA=", "demo").await;
    // The functions run on the thread of this test.
    let (log, logging) = Log::of_this_thread_with(&CRATES.map(|name| format!("entity_stream_{name}=trace")).join(","));

    let mut undeliverable = 0;
    for event in events() {
        undeliverable += functions.broadcast.handle(lambda_event(&event)).await.unwrap().undeliverable;
    }

    drop(logging);
    assert!(undeliverable > 40, "{undeliverable}");
    let log = log.text();
    assert!(log.contains("undeliverable event"));
    assert!(!log.contains(PART), "{:?}", log.lines().find(|line| line.contains(PART)));
    let letters = system.dead_letters().await;
    assert_eq!(letters.len(), undeliverable);
    for letter in letters {
        let reason = letter["errorMessage"].as_str().unwrap();
        assert!(!reason.contains(PART) && !reason.is_empty(), "{reason}");
    }
}
