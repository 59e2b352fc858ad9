//! The event bus: `PutEvents`, retries and dead letters.

use serde_json::{Value, json};

use crate::harness::{Endpoint, Reply, System, config, entry, request, room};
use entity_stream_local::{Config, FunctionHost, FunctionNames};

async fn put(system: &System, body: &Value) -> (u16, Value) {
    let headers = [("x-amz-target", "AWSEvents.PutEvents"), ("content-type", "application/x-amz-json-1.1")];
    let answer = request("POST", &system.local.http_url(), &headers, body.to_string()).await;
    (answer.status, serde_json::from_slice(&answer.body).unwrap())
}

fn raw(source: &str, detail: &str) -> Value {
    json!({ "Source": source, "DetailType": "entity.changed", "Detail": detail, "EventBusName": "default" })
}

#[tokio::test]
async fn entries_are_accepted_or_refused_one_by_one_in_order() {
    let system = System::start().await;
    let mut client = system.connect("tenant=demo").await;
    let good = room("demo", "good").to_string();
    let mut no_type = raw("demo.app", &good);
    no_type.as_object_mut().unwrap().remove("DetailType");
    let entries = [
        raw("demo.app", "{bad"),
        raw("demo.app", &good),
        raw("demo.app", "[1]"),
        raw("aws.ec2", &good),
        no_type,
        raw("demo.app", r#"{"type":"somethingElse"}"#),
    ];
    let (status, answer) = put(&system, &json!({ "Entries": entries })).await;
    assert_eq!((status, &answer["FailedEntryCount"]), (200, &json!(4)));
    let codes: Vec<&Value> = answer["Entries"].as_array().unwrap().iter().map(|entry| &entry["ErrorCode"]).collect();
    let expected =
        json!(["MalformedDetail", null, "MalformedDetail", "NotAuthorizedForSourceException", "InvalidArgument", null]);
    assert_eq!(json!(codes), expected);
    assert!(answer["Entries"][5]["EventId"].is_string(), "the bus accepts events that no rule matches");
    let event = client.json().await;
    assert_eq!(event["id"], answer["Entries"][1]["EventId"], "the envelope's id is the event's");
    client.nothing_more(&system).await;
    assert!(system.dead_letters().await.is_empty(), "an event that no rule matches is not a dead letter");
}

#[tokio::test]
async fn malformed_requests_are_refused() {
    let system = System::start().await;
    let entry = raw("demo.app", &room("demo", "r").to_string());
    let large = raw("demo.app", &json!({ "blob": "x".repeat(600_000) }).to_string());
    for (body, reason) in [
        (json!({ "Entries": vec![entry.clone(); 11] }), "Member must have length less than or equal to 10"),
        (json!({ "Entries": [] }), "Member must have length greater than or equal to 1"),
        (json!({ "Entries": [large.clone(), large] }), "over the limit"),
    ] {
        let (status, answer) = put(&system, &body).await;
        assert_eq!((status, &answer["__type"]), (400, &json!("ValidationException")), "{reason}");
        assert!(answer["message"].as_str().unwrap().contains(reason), "{answer}");
    }
    let other = request("POST", &system.local.http_url(), &[("x-amz-target", "AWSEvents.PutRule")], "{}").await;
    assert_eq!((other.status, other.header("x-amzn-errortype")), (400, Some("UnknownOperationException")));
}

#[tokio::test]
async fn faults_of_an_entry_are_reported_as_on_aws() {
    let system = System::start().await;
    let mut client = system.connect("tenant=demo").await;
    let good = raw("demo.app", &room("demo", "r").to_string());
    for field in ["Source", "DetailType", "Detail"] {
        let mut entry = good.clone();
        entry.as_object_mut().unwrap().remove(field);
        let (status, answer) = put(&system, &json!({ "Entries": [entry] })).await;
        let message = format!("Parameter {field} is not valid. Reason: {field} is a required argument.");
        let result = json!({ "ErrorCode": "InvalidArgument", "ErrorMessage": message });
        assert_eq!((status, answer), (200, json!({ "FailedEntryCount": 1, "Entries": [result] })));
    }
    for (length, failed) in [(128, 0), (129, 1)] {
        let mut entry = good.clone();
        entry["DetailType"] = json!("é".repeat(length));
        let (status, answer) = put(&system, &json!({ "Entries": [entry] })).await;
        assert_eq!((status, &answer["FailedEntryCount"]), (200, &json!(failed)), "{length}: {answer}");
        let code = &answer["Entries"][0]["ErrorCode"];
        assert_eq!(*code, if failed == 1 { json!("InvalidArgument") } else { json!(null) });
    }
    assert_eq!(client.event_id().await, "r");
    client.nothing_more(&system).await;
}

#[tokio::test]
async fn an_event_for_an_unknown_bus_is_accepted_and_reaches_no_client() {
    let system = System::start().await;
    let mut client = system.connect("tenant=demo").await;
    let arn = "arn:aws:events:us-east-1:000000000000:event-bus";
    for (bus, arrives) in [
        (json!("no-such-bus"), false),
        (json!(format!("{arn}/other")), false),
        (json!("default"), true),
        (json!(format!("{arn}/default")), true),
        (json!(null), true),
    ] {
        let mut entry = raw("demo.app", &room("demo", "r").to_string());
        entry["EventBusName"] = bus.clone();
        let (status, answer) = put(&system, &json!({ "Entries": [entry] })).await;
        assert_eq!((status, &answer["FailedEntryCount"]), (200, &json!(0)), "{bus}");
        let id = &answer["Entries"][0]["EventId"];
        assert!(id.is_string(), "{answer}");
        if arrives {
            assert_eq!(client.json().await["id"], *id, "{bus}");
        }
    }
    client.nothing_more(&system).await;
    assert!(system.dead_letters().await.is_empty());
}

#[tokio::test]
async fn a_type_in_an_array_matches_the_rule_and_is_undeliverable() {
    let system = System::start().await;
    let mut detail = room("demo", "r");
    detail["type"] = json!(["other", "entityUpdated"]);
    let id = system.publish(&detail).await;
    let letters = system.until_dead_letters(1).await;
    assert_eq!((&letters[0]["errorCode"], &letters[0]["event"]["id"]), (&json!("UndeliverableChange"), &json!(id)));
    detail["type"] = json!(["other"]);
    system.publish(&detail).await;
    system.local.settled().await;
    assert_eq!(system.dead_letters().await.len(), 1, "the rule does not match");
}

#[tokio::test]
async fn ten_events_of_one_request_all_arrive() {
    let system = System::start().await;
    let mut client = system.connect("tenant=demo").await;
    let ids: Vec<String> = (0..10).map(|n| format!("urn:{n}")).collect();
    system.put_events(ids.iter().map(|id| entry(&room("demo", id).to_string())).collect()).await;
    let mut received = Vec::new();
    for _ in &ids {
        received.push(client.event_id().await);
    }
    received.sort();
    assert_eq!(received, ids);
}

#[tokio::test]
async fn the_time_of_an_entry_becomes_the_timestamp() {
    let system = System::start().await;
    let mut client = system.connect("tenant=demo").await;
    let mut detail = room("demo", "r");
    detail.as_object_mut().unwrap().remove("timestamp");
    let mut entry = raw("demo.app", &detail.to_string());
    entry["Time"] = json!(1_767_323_045.5);
    put(&system, &json!({ "Entries": [entry] })).await;
    assert_eq!(client.json().await["timestamp"], json!("2026-01-02T03:04:05Z"));
}

#[tokio::test]
async fn an_undeliverable_event_is_one_dead_letter_without_retries() {
    let system = System::start().await;
    let mut nameless = room("demo", "r");
    nameless.as_object_mut().unwrap().remove("tenant");
    let id = system.publish(&nameless).await;
    let letters = system.until_dead_letters(1).await;
    system.local.settled().await;
    assert_eq!(system.dead_letters().await.len(), 1);
    assert_eq!((&letters[0]["errorCode"], &letters[0]["attempts"]), (&json!("UndeliverableChange"), &json!(1)));
    assert!(letters[0]["errorMessage"].as_str().unwrap().contains("missing field `tenant`"), "{}", letters[0]);
    assert_eq!((&letters[0]["event"]["id"], &letters[0]["event"]["detail"]), (&json!(id), &nameless));
}

#[tokio::test]
async fn a_failing_broadcast_is_retried_twice_and_then_a_dead_letter() {
    let error = r#"{"errorType":"TableUnavailable","errorMessage":"no table"}"#;
    let lambda =
        Endpoint::script([Reply::Status(200, &[("x-amz-function-error", "Unhandled")], error.to_owned())]).await;
    let functions = FunctionHost::Lambda { endpoint: lambda.url.clone(), names: FunctionNames::default() };
    let system = System::start_with(Config { functions, ..config() }).await;
    let id = system.publish(&room("demo", "r")).await;
    let letters = system.until_dead_letters(1).await;
    assert_eq!(
        (&letters[0]["errorCode"], &letters[0]["errorMessage"]),
        (&json!("TableUnavailable"), &json!("no table"))
    );
    assert_eq!((&letters[0]["attempts"], &letters[0]["event"]["id"]), (&json!(3), &json!(id)));
    let asked = lambda.asked();
    assert_eq!(asked.len(), 3);
    assert!(asked.iter().all(|asked| asked.path == "/2015-03-31/functions/broadcast/invocations"));
    assert!(asked.windows(2).all(|pair| pair[0].body == pair[1].body), "the same event each time");
}

#[tokio::test]
async fn a_dead_letter_shows_the_event_as_it_was_published() {
    let lambda = Endpoint::script([Reply::status(500)]).await;
    let functions = FunctionHost::Lambda { endpoint: lambda.url.clone(), names: FunctionNames::default() };
    let system = System::start_with(Config { functions, ..config() }).await;
    let detail = r#"{"type":"entityUpdated", "z": 1.0, "a":12345678901234567890123, "e":1E5}"#;
    system.publish_text(detail).await;
    system.until_dead_letters(1).await;
    let letters = request("GET", &format!("{}/_local/dead-letters", system.local.http_url()), &[], "").await;
    assert!(letters.text().contains(detail), "{}", letters.text());
}

#[tokio::test]
async fn the_entries_of_a_request_have_less_than_1_mb() {
    let system = System::start().await;
    for (bytes, status) in [(1024 * 1024 - 1, 200), (1024 * 1024, 400)] {
        let around = r#"demo.appentity.changed{"blob":""}"#.len();
        let detail = json!({ "blob": "x".repeat(bytes - around) }).to_string();
        assert_eq!(put(&system, &json!({ "Entries": [raw("demo.app", &detail)] })).await.0, status, "{bytes}");
    }
}

#[tokio::test]
async fn a_broadcast_that_succeeds_on_a_retry_is_not_a_dead_letter() {
    let lambda = Endpoint::script([Reply::status(500), Reply::json("{}")]).await;
    let functions = FunctionHost::Lambda { endpoint: lambda.url.clone(), names: FunctionNames::default() };
    let system = System::start_with(Config { functions, ..config() }).await;
    system.publish(&room("demo", "r")).await;
    system.local.settled().await;
    assert_eq!((lambda.asked().len(), system.dead_letters().await.len()), (2, 0));
}
