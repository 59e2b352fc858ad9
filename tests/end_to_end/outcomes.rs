//! The outcomes of deliveries. `@connections` answers 410 for a connection that has ended, and for one that is opening.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use entity_stream_broadcast::Broadcast;
use entity_stream_connections::Connection;
use entity_stream_local::{CONNECTIONS_TABLE, aws_config};
use entity_stream_protocol::GroupId;
use entity_stream_runtime::{AwsServices, BroadcastConfig, Environment};
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
    let failure = functions.broadcast(&envelope("e1", &room("demo", "r")), 6).await.unwrap_err();
    assert_eq!(failure.kind, "DeliveryIncomplete");
    assert_eq!(system.items().await.len(), 2, "Lambda will retry the event");
}

#[tokio::test]
async fn a_connection_that_is_no_longer_young_is_forgotten() {
    let system = System::start().await;
    // One answer has the error type in its header, the other was mangled as by a proxy. Only the status decides.
    for gone in [GONE, Reply::Status(410, &[("content-type", "text/html")], "<h1>Gone</h1>".to_owned())] {
        let (api, hands) = (Endpoint::script([gone]).await, Hands::default());
        let functions = Functions::new(&system, &api, &hands).await;
        functions.register(ID, "demo").await;
        hands.forward(31);
        let report = functions.broadcast(&envelope("e1", &room("demo", "r")), 30).await.unwrap();
        assert_eq!((report.delivered, report.gone, report.failed), (0, 1, 0));
        assert!(system.items().await.is_empty());
        assert_eq!(api.asked().len(), 1, "it is not retried");
    }
}

#[tokio::test]
async fn an_orphan_is_removed_at_once() {
    let system = System::start().await;
    let api = Endpoint::script([GONE]).await;
    let functions = Functions::new(&system, &api, &Hands::default()).await;
    functions.register(ID, "demo").await;
    // The items are those after a `$disconnect` that died after its first write.
    let client = aws_sdk_dynamodb::Client::new(&aws_config(&system.local.dynamodb_url()));
    let key = |text: &str| aws_sdk_dynamodb::types::AttributeValue::S(text.to_owned());
    let delete = client.delete_item().table_name(entity_stream_local::CONNECTIONS_TABLE);
    delete.key("pk", key(&format!("C#{ID}"))).key("sk", key("C")).send().await.unwrap();
    let report = functions.broadcast(&envelope("e1", &room("demo", "r")), 30).await.unwrap();
    assert_eq!(report.gone, 1);
    assert!(system.items().await.is_empty());
}

#[tokio::test]
async fn a_failing_connection_does_not_affect_the_others() {
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
    assert!(failure.message.contains("1 of 4"), "permanent failures are not retried: {failure}");
    let fine = api.asked().iter().filter(|asked| asked.path.contains("Fine")).count();
    assert_eq!(fine, 2, "each connection got it once");
    assert!(api.asked().iter().filter(|asked| asked.path.contains("Throttled")).count() > 1);
    assert_eq!(api.asked().iter().filter(|asked| asked.path.contains("Odd")).count(), 1);
}

#[tokio::test]
async fn a_message_that_api_gateway_refuses_as_too_large_is_sent_truncated() {
    let system = System::start().await;
    let too_large = Reply::Status(413, &[("x-amzn-errortype", "PayloadTooLargeException")], "{}".to_owned());
    let api = Endpoint::script([too_large, Reply::status(200)]).await;
    let functions = Functions::new(&system, &api, &Hands::default()).await;
    functions.register(ID, "demo").await;
    let report = functions.broadcast(&envelope("e1", &room("demo", "r")), 30).await.unwrap();
    assert_eq!(report.delivered, 1);
    let second: serde_json::Value = serde_json::from_slice(&api.asked()[1].body).unwrap();
    assert_eq!((&second["truncated"], &second["data"]), (&json!(true), &json!({})));
}

/// A message that a member refuses permanently was certainly not delivered there.
#[tokio::test]
async fn the_next_member_of_a_group_gets_an_event_that_one_refuses() {
    let system = System::start().await;
    let api = Endpoint::script([Reply::status(400), Reply::status(200)]).await;
    let functions = Functions::new(&system, &api, &Hands::default()).await;
    for id in ["FineAAAAAAAAAAA=", "FineBBBBBBBBBBB=", "FineCCCCCCCCCCC="] {
        let member = Connection { group: Some(GroupId::parse("workers").unwrap()), ..functions.connection(id, "demo") };
        functions.table.register(&member).await.unwrap();
    }
    let report = functions.broadcast(&envelope("e1", &room("demo", "r")), 30).await.unwrap();
    assert_eq!((report.delivered, report.rejected, report.failed), (1, 1, 0));
    assert_eq!(api.asked().len(), 2, "a third member gets nothing");
}

/// The other events of the array are delivered. Lambda repeats the invocation with the same id, which delivers no event
/// twice.
#[tokio::test]
async fn an_unavailable_dead_letter_queue_does_not_affect_other_events() {
    let system = System::start().await;
    let (api, hands) = (Endpoint::script([Reply::status(200)]).await, Hands::default());
    let queue = Endpoint::script([Reply::status(400)]).await;
    let mut functions = Functions::new(&system, &api, &hands).await;
    functions.register(ID, "demo").await;
    let (url, api_url) = (format!("{}/0/dead-letters", queue.url), api.url.clone());
    let environment = Environment::new(move |name| match name {
        "EVENT_STREAMING_ENABLED" => Some("true".to_owned()),
        "WS_CONNECTIONS_TABLE" => Some(CONNECTIONS_TABLE.to_owned()),
        "WS_API_ENDPOINT" => Some(api_url.clone()),
        "DEAD_LETTER_QUEUE_URL" => Some(url.clone()),
        _ => None,
    });
    let dynamodb = aws_config(&system.local.dynamodb_url());
    let aws = AwsServices { sqs: aws_config(&queue.url), ..AwsServices::all(dynamodb) };
    functions.broadcast = Broadcast::new(BroadcastConfig::read(&environment).unwrap(), &aws, hands.clock());
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

/// Otherwise every event would try to reach the connection as long as it is young.
#[tokio::test]
async fn a_half_registered_connection_is_removed() {
    let system = System::start().await;
    let (api, hands) = (Endpoint::script([Reply::status(200)]).await, Hands::default());
    // The connection is written, but all attempts to write its interests fail. Then the table recovers.
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
