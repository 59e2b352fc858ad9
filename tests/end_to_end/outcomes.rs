//! What a 410 means: `@connections` says it of a connection that has ended, and of one that is just opening.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use entity_stream_broadcast::{Broadcast, DeadLetterQueue, Outlets};
use entity_stream_connections::Connection;
use entity_stream_delivery::ManagementApi;
use entity_stream_local::aws_config;
use entity_stream_protocol::GroupId;
use entity_stream_runtime::Environment;
use serde_json::json;

use crate::harness::proxy::{Fate, proxy};
use crate::harness::{Endpoint, Functions, Hands, Reply, System, envelope, lambda_event, room};

const GONE: Reply = Reply::Status(410, &[("x-amzn-errortype", "GoneException")], String::new());
const ID: &str = "XyZ12cdeIAMCJ1g=";

#[tokio::test]
async fn a_connection_that_is_still_opening_is_tried_again_and_never_forgotten() {
    let system = System::start().await;
    let api = Endpoint::script([GONE, GONE, GONE, Reply::status(200)]).await;
    let functions = Functions::new(&system, &api, &Hands::default()).await;
    functions.register(ID, "demo").await;
    let report = functions.broadcast(&envelope("e1", &room("demo", "r")), 30).await.unwrap();
    assert_eq!((report.delivered, report.gone), (1, 0));
    assert_eq!(api.asked().len(), 4);
    assert_eq!(system.items().await.len(), 2, "the connection and its interest are there");
}

#[tokio::test]
async fn a_connection_that_stays_closed_while_young_fails_the_event_but_is_kept() {
    let system = System::start().await;
    let api = Endpoint::script([GONE]).await;
    let functions = Functions::new(&system, &api, &Hands::default()).await;
    functions.register(ID, "demo").await;
    let failure = functions.broadcast(&envelope("e1", &room("demo", "r")), 2).await.unwrap_err();
    assert_eq!(failure.kind, "DeliveryIncomplete");
    assert_eq!(system.items().await.len(), 2, "Lambda will try the event again");
}

#[tokio::test]
async fn a_connection_that_is_no_longer_young_is_forgotten() {
    let system = System::start().await;
    // Once with the error type in its header, once as a proxy might mangle it: the status alone decides.
    for gone in [GONE, Reply::Status(410, &[("content-type", "text/html")], "<h1>Gone</h1>".to_owned())] {
        let (api, hands) = (Endpoint::script([gone]).await, Hands::default());
        let functions = Functions::new(&system, &api, &hands).await;
        functions.register(ID, "demo").await;
        hands.forward(31);
        let report = functions.broadcast(&envelope("e1", &room("demo", "r")), 30).await.unwrap();
        assert_eq!((report.delivered, report.gone, report.failed), (0, 1, 0));
        assert!(system.items().await.is_empty());
        assert_eq!(api.asked().len(), 1, "it is not tried again");
    }
}

#[tokio::test]
async fn an_orphan_is_removed_at_once() {
    let system = System::start().await;
    let api = Endpoint::script([GONE]).await;
    let functions = Functions::new(&system, &api, &Hands::default()).await;
    functions.register(ID, "demo").await;
    // As if `$disconnect` had died after its first write.
    let client = aws_sdk_dynamodb::Client::new(&aws_config(&system.local.dynamodb_url()));
    let key = |text: &str| aws_sdk_dynamodb::types::AttributeValue::S(text.to_owned());
    let delete = client.delete_item().table_name(entity_stream_local::TABLE);
    delete.key("pk", key(&format!("C#{ID}"))).key("sk", key("C")).send().await.unwrap();
    let report = functions.broadcast(&envelope("e1", &room("demo", "r")), 30).await.unwrap();
    assert_eq!(report.gone, 1);
    assert!(system.items().await.is_empty());
}

#[tokio::test]
async fn failures_of_one_connection_are_not_the_others() {
    let system = System::start().await;
    let api = Endpoint::new(|asked| {
        if asked.path.contains("Throttled") {
            Reply::Status(429, &[("x-amzn-errortype", "LimitExceededException")], "{}".to_owned())
        } else if asked.path.contains("Odd") {
            Reply::Status(400, &[("x-amzn-errortype", "BadRequestException")], "{}".to_owned())
        } else {
            Reply::status(200)
        }
    })
    .await;
    let functions = Functions::new(&system, &api, &Hands::default()).await;
    for id in ["FineAAAAAAAAAAA=", "Throttled11111A=", "FineBBBBBBBBBBB=", "Odd000000000000="] {
        functions.register(id, "demo").await;
    }
    let failure = functions.broadcast(&envelope("e1", &room("demo", "r")), 3).await.unwrap_err();
    assert!(failure.message.contains("1 of 4"), "what cannot work is not tried again: {failure}");
    let fine = api.asked().iter().filter(|asked| asked.path.contains("Fine")).count();
    assert_eq!(fine, 2, "each once");
    assert!(api.asked().iter().filter(|asked| asked.path.contains("Throttled")).count() > 1);
    assert_eq!(api.asked().iter().filter(|asked| asked.path.contains("Odd")).count(), 1);
}

#[tokio::test]
async fn what_api_gateway_finds_too_large_is_sent_truncated() {
    let system = System::start().await;
    let too_large = Reply::Status(413, &[("x-amzn-errortype", "PayloadTooLargeException")], "{}".to_owned());
    let api = Endpoint::script([too_large, Reply::status(200)]).await;
    let functions = Functions::new(&system, &api, &Hands::default()).await;
    functions.register(ID, "demo").await;
    let report = functions.broadcast(&envelope("e1", &room("demo", "r")), 30).await.unwrap();
    assert_eq!(report.delivered, 1);
    let second: serde_json::Value = serde_json::from_slice(&api.asked()[1].body).unwrap();
    assert_eq!((&second["truncated"], second.get("data")), (&json!(true), None));
}

/// What one member will never take was certainly not delivered there.
#[tokio::test]
async fn a_groups_event_goes_on_to_the_next_member_where_one_is_refused_it() {
    let system = System::start().await;
    let api = Endpoint::script([Reply::status(400), Reply::status(200)]).await;
    let functions = Functions::new(&system, &api, &Hands::default()).await;
    for id in ["FineAAAAAAAAAAA=", "FineBBBBBBBBBBB=", "FineCCCCCCCCCCC="] {
        let member = Connection { group: Some(GroupId::parse("workers").unwrap()), ..functions.connection(id, "demo") };
        functions.table.register(&member).await.unwrap();
    }
    let report = functions.broadcast(&envelope("e1", &room("demo", "r")), 30).await.unwrap();
    assert_eq!((report.delivered, report.rejected, report.failed), (1, 1, 0));
    assert_eq!(api.asked().len(), 2, "and to no third");
}

/// The other events of the array are delivered, and the repeated invocation, which Lambda gives the same id, delivers them
/// to nobody twice.
#[tokio::test]
async fn an_event_that_cannot_be_put_aside_keeps_no_other_from_its_audience() {
    let system = System::start().await;
    let (api, hands) = (Endpoint::script([Reply::status(200)]).await, Hands::default());
    let queue = Endpoint::script([Reply::status(400)]).await;
    let mut functions = Functions::new(&system, &api, &hands).await;
    functions.register(ID, "demo").await;
    let environment = Environment::new(|name| (name == "EVENT_STREAMING_ENABLED").then(|| "true".to_owned()));
    let client = aws_sdk_sqs::Client::new(&aws_config(&queue.url));
    let dead_letters = DeadLetterQueue::new(client, format!("{}/0/dead-letters", queue.url));
    let outlets = Outlets { dead_letters: Some(dead_letters), bus: None };
    let connections_api = ManagementApi::new(&aws_config(&api.url), &api.url).unwrap();
    functions.broadcast =
        Broadcast::new(&environment, functions.table.clone(), connections_api, outlets, hands.clock()).unwrap();
    let event = |id: &str| envelope(id, &room("demo", id));
    let events = format!("[{},{},{}]", event("e1"), envelope("bad", &json!({ "type": "entityUpdated" })), event("e2"));

    for attempt in 1..=2 {
        let failure = functions.broadcast_as("r-1", &events, 30).await.unwrap_err();
        assert_eq!(failure.kind, "DeadLetterQueueUnavailable", "attempt {attempt}");
        let got: Vec<serde_json::Value> =
            api.asked().iter().map(|asked| serde_json::from_slice(&asked.body).unwrap()).collect();
        let ids: Vec<_> = got.iter().map(|event| event["id"].as_str().unwrap()).collect();
        assert_eq!(ids, ["e1", "e2"], "attempt {attempt}");
        hands.forward(61);
    }
}

/// A phantom that every event tries to reach for as long as it is young.
#[tokio::test]
async fn nothing_is_left_of_a_connection_that_could_only_be_registered_by_half() {
    let system = System::start().await;
    let (api, hands) = (Endpoint::script([Reply::status(200)]).await, Hands::default());
    // The connection is written; its interests are not, however often the client tries; and then all is well again.
    let requests = Arc::new(AtomicUsize::new(0));
    let table = proxy(system.local.dynamodb_url(), move || match requests.fetch_add(1, Ordering::Relaxed) {
        1..=3 => Fate::Throttled,
        _ => Fate::Pass,
    })
    .await;
    let (functions, _bus) = Functions::with_bus(&system, &table, &api, &hands, &[]).await;
    let event = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../events/connect/no-token.json"));

    let response = functions.connect.handle(lambda_event(&event.unwrap())).await.unwrap();

    assert_eq!(response.status_code, 500);
    assert!(system.items().await.is_empty(), "{:?}", system.items().await);
}
