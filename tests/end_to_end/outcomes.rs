//! What a 410 means: `@connections` says it of a connection that has ended, and of one that is just opening.

use serde_json::json;

use crate::harness::{Endpoint, Functions, Hands, Reply, System, envelope, room};

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
    let client = aws_sdk_dynamodb::Client::new(&entity_stream_local::aws_config(&system.local.dynamodb_url()));
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
