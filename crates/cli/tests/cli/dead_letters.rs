use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use aws_sdk_sqs::types::MessageAttributeValue;
use axum::Router;
use axum::body::Bytes;
use axum::http::StatusCode;
use axum::routing::post;
use entity_stream_local::{
    CONNECTIONS_TABLE, Config, DEAD_LETTER_QUEUE_PATH, FunctionHost, FunctionNames, Local, Times, aws_config,
};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::harness::{Ended, closed_port, listen, run, run_with, start, system, system_with};

/// A value of the test's entities, which no list may show.
const VALUE: &str = "4111-1111-1111-1111";

async fn letters(system: &Local, args: &[&str]) -> Ended {
    run(&[&["dead-letters"], args, &["--endpoint-url", &system.http_url()]].concat()).await
}

async fn listed(system: &Local) -> Vec<Value> {
    let ended = letters(system, &["list", "--output", "json"]).await;
    assert!(ended.code == Some(0) && !ended.stdout.contains(VALUE), "{ended:?}");
    serde_json::from_str(&ended.stdout).unwrap()
}

/// Waits until the queue has this many messages.
async fn until(system: &Local, count: usize) -> Vec<Value> {
    loop {
        let list = listed(system).await;
        if list.len() == count {
            return list;
        }
    }
}

fn id(letter: &Value) -> &str {
    letter["id"].as_str().unwrap()
}

fn change() -> Value {
    json!({
        "type": "entityUpdated", "tenant": "demo", "entityId": "urn:1", "entityType": "Room",
        "data": { "card": { "type": "Text", "value": VALUE } },
    })
}

async fn publish(system: &Local, detail: &Value) -> String {
    let client = aws_sdk_eventbridge::Client::new(&aws_config(&system.http_url()));
    let entry = aws_sdk_eventbridge::types::PutEventsRequestEntry::builder();
    let entry = entry.source("broker").detail_type("entity.changed").detail(detail.to_string()).build();
    let output = client.put_events().entries(entry).send().await.unwrap();
    output.entries()[0].event_id().unwrap().to_owned()
}

#[tokio::test]
async fn an_undeliverable_event_is_listed_shown_and_purged() {
    let system = system().await;
    let empty = letters(&system, &["list"]).await;
    assert_eq!((empty.code, empty.stdout.as_str(), empty.stderr.as_str()), (Some(0), "", "no dead letters found\n"));

    let mut malformed = change();
    malformed["changedAttributes"] = json!(VALUE);
    let event_id = publish(&system, &malformed).await;
    let list = until(&system, 1).await;
    assert_eq!((&list[0]["kind"], &list[0]["eventId"]), (&json!("undeliverable"), &json!(event_id)));
    assert_eq!((&list[0]["tenant"], &list[0]["replayable"]), (&json!("demo"), &json!(false)));
    let table = letters(&system, &["list"]).await.stdout;
    assert!(table.starts_with("ID ") && table.contains("undeliverable") && table.contains(&event_id), "{table}");
    assert!(!table.contains(VALUE), "{table}");
    assert_eq!(letters(&system, &["list", "--output", "ids"]).await.stdout, format!("{}\n", id(&list[0])));

    // Only `show` prints values. Each command gave the message back.
    let shown = letters(&system, &["show", id(&list[0])]).await;
    let whole: Value = serde_json::from_str(&shown.stdout).unwrap();
    assert_eq!(
        (&whole["body"]["detail"], &whole["attributes"]["ErrorCode"]),
        (&malformed, &json!("UndeliverableChange"))
    );

    let replayed = letters(&system, &["replay", "--all"]).await;
    assert!(replayed.code == Some(0) && replayed.stderr.contains("the event is malformed"), "{replayed:?}");
    assert!(replayed.stderr.contains("1 of 1 message not replayed; --force"), "{replayed:?}");
    let forced = letters(&system, &["replay", id(&list[0]), "--force"]).await;
    assert!(forced.stdout.contains("1 malformed event put into the queue again"), "{forced:?}");
    let list = until(&system, 1).await;

    let asked = letters(&system, &["purge", id(&list[0])]).await;
    assert!(asked.code == Some(1) && asked.stderr.contains("pass --yes"), "{asked:?}");
    let purged = letters(&system, &["purge", id(&list[0]), "--yes"]).await;
    assert_eq!(purged.stdout, format!("deleted {}\n", id(&list[0])));
    publish(&system, &malformed).await;
    until(&system, 1).await;
    let purged = letters(&system, &["purge", "--all", "--yes"]).await;
    assert_eq!(purged.stdout, "deleted 1 message\n");
    assert_eq!(listed(&system).await, [Value::Null; 0]);
    let nothing = letters(&system, &["replay", "--all"]).await;
    assert_eq!((nothing.code, nothing.stderr.trim()), (Some(0), "no dead letters found"));
}

#[tokio::test]
async fn the_rest_of_an_event_is_replayed_to_the_connections_that_lack_it() {
    let system = system().await;
    let mut served = listen(&system, "demo", &["--output", "json"]).await;
    let dynamodb = aws_sdk_dynamodb::Client::new(&aws_config(&system.dynamodb_url()));
    let hashes = async || {
        let items = dynamodb.scan().table_name(CONNECTIONS_TABLE).consistent_read(true).send().await.unwrap().items;
        let keys = items.unwrap_or_default().into_iter().map(|item| (item["pk"].clone(), item["sk"].clone()));
        let interests = keys.filter(|(pk, _)| pk.as_s().unwrap().starts_with("T#"));
        interests.map(|(_, sk)| sk.as_s().unwrap().split('#').next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let before = hashes().await;
    let mut owed = listen(&system, "demo", &["--output", "json"]).await;
    let hash = hashes().await.into_iter().find(|hash| !before.contains(hash)).unwrap();

    // The message in which the function leaves the rest of an event.
    let event = json!({
        "version": "0", "id": "e-1", "detail-type": "entity.changed", "source": "broker",
        "time": "2026-01-02T03:04:05Z", "detail": change(),
    });
    let rest = json!({
        "version": "0", "id": "e-1", "detail-type": "EntityStreamContinuation", "source": "entity-stream",
        "time": "2026-01-02T03:04:05Z",
        "detail": { "type": "entityUpdated", "event": event, "ranges": [format!("{hash}-{hash}")], "depth": 0 },
    });
    let sqs = aws_sdk_sqs::Client::new(&aws_config(&system.http_url()));
    let text = |text: &str| MessageAttributeValue::builder().data_type("String").string_value(text).build().unwrap();
    let send = sqs.send_message().queue_url(format!("{}/{DEAD_LETTER_QUEUE_PATH}", system.http_url()));
    let send = send.message_attributes("ErrorCode", text("DeliveryIncomplete"));
    send.message_attributes("ErrorMessage", text("1 of 2")).message_body(rest.to_string()).send().await.unwrap();

    let list = listed(&system).await;
    assert_eq!((&list[0]["kind"], &list[0]["reason"]), (&json!("incomplete"), &json!("1 of 2")));
    let replayed = letters(&system, &["replay", id(&list[0])]).await;
    assert_eq!(replayed.stdout, format!("replayed {}: delivered to 1 of 1 connection\n", id(&list[0])), "{replayed:?}");
    assert!(owed.line().await.contains(r#""id":"e-1""#));
    assert_eq!(listed(&system).await, [Value::Null; 0]);
    // The next event of the other listener is a later one.
    let later = publish(&system, &change()).await;
    assert!(served.line().await.contains(&later));
}

/// Lambda's Invoke API, whose function fails until the switch is on.
async fn lambda(works: Arc<AtomicBool>, payloads: Arc<std::sync::Mutex<Vec<Bytes>>>) -> String {
    let invoke = move |body: Bytes| {
        let works = works.load(Ordering::SeqCst);
        payloads.lock().unwrap().push(body);
        async move {
            if works { (StatusCode::OK, r#"{"matched":2,"delivered":2}"#) } else { (StatusCode::BAD_GATEWAY, "{}") }
        }
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let app = Router::new().route("/2015-03-31/functions/broadcast/invocations", post(invoke));
    tokio::spawn(async move { axum::serve(listener, app).await });
    url
}

#[tokio::test]
async fn a_failed_event_stays_in_the_queue_until_its_replay_succeeds() {
    let (works, payloads) = (Arc::new(AtomicBool::new(false)), Arc::default());
    let endpoint = lambda(Arc::clone(&works), Arc::clone(&payloads)).await;
    let functions = FunctionHost::Lambda { endpoint, names: FunctionNames::default() };
    let times = Times { retry_delays: Vec::new(), ..Times::default() };
    let system = system_with(Config { functions, times, ..Config::default() }).await;
    publish(&system, &change()).await;
    let list = until(&system, 1).await;
    assert_eq!((&list[0]["kind"], &list[0]["attempts"]), (&json!("failed"), &json!(1)));

    let failed = letters(&system, &["replay", "--all"]).await;
    assert!(failed.code == Some(1) && failed.stderr.contains("1 of 1 message could not be replayed"), "{failed:?}");
    assert!(!format!("{failed:?}").contains(VALUE));
    works.store(true, Ordering::SeqCst);
    let replayed = letters(&system, &["replay", "--all"]).await;
    assert!(replayed.stdout.contains("delivered to 2 of 2 connections"), "{replayed:?}");
    assert_eq!(listed(&system).await, [Value::Null; 0]);
    let payloads = payloads.lock().unwrap();
    assert_eq!(payloads.len(), 3);
    assert!(payloads.windows(2).all(|pair| pair[0] == pair[1]), "byte for byte");
}

#[tokio::test]
async fn a_deployed_queue_needs_a_function_a_region_and_credentials() {
    let system = system().await;
    publish(&system, &json!({ "type": "entityUpdated" })).await;
    let list = until(&system, 1).await;
    let queue = format!("https://sqs.eu-west-1.amazonaws.com/{DEAD_LETTER_QUEUE_PATH}");
    let http = system.http_url();
    let credentials = [("AWS_ACCESS_KEY_ID", "id"), ("AWS_SECRET_ACCESS_KEY", "key")];
    let deployed = async |args: &[&str]| {
        let args = [&["dead-letters"], args, &["--queue-url", &queue, "--endpoint-url", &http]].concat();
        run_with(&args, &credentials, "").await
    };
    assert_eq!(deployed(&["list", "--output", "ids"]).await.stdout, format!("{}\n", id(&list[0])));
    let nameless = deployed(&["replay", "--all"]).await;
    assert!(nameless.code == Some(1) && nameless.stderr.contains("--function is missing"), "{nameless:?}");
    let wrong = deployed(&["replay", "--all", "--force", "--function", "x"]).await;
    assert!(wrong.code == Some(1) && wrong.stderr.contains("Function not found"), "{wrong:?}");
    let right = deployed(&["replay", "--all", "--force", "--function", "broadcast"]).await;
    assert!(right.code == Some(0) && right.stdout.contains("put into the queue again"), "{right:?}");

    let without = ["dead-letters", "list", "--queue-url", &queue];
    let ended = run_with(&without, &[("AWS_EC2_METADATA_DISABLED", "true")], "").await;
    assert!(ended.code == Some(1) && ended.stderr.contains("no AWS credentials"), "{ended:?}");
}

#[tokio::test]
async fn a_reader_that_is_gone_does_not_end_a_purge() {
    let system = system().await;
    for entity in ["urn:1", "urn:2"] {
        publish(&system, &json!({ "type": "entityUpdated", "tenant": "demo", "entityId": entity })).await;
    }
    let list = until(&system, 2).await;
    let mut purge =
        start(&["dead-letters", "purge", "--yes", "--target", &system.http_url(), id(&list[0]), id(&list[1])]);
    purge.close_stdout();
    assert_eq!(purge.exit().await.code(), Some(0));
    // The count includes messages that the command holds.
    let asked = letters(&system, &["purge", "--all"]).await;
    assert!(asked.stderr.contains("pass --yes to delete all messages (about 0)"), "{asked:?}");
}

#[tokio::test]
async fn mistakes_are_named() {
    let system = system().await;
    let missing = letters(&system, &["show", "no-such-id"]).await;
    assert!(
        missing.code == Some(1) && missing.stderr.contains("no visible message with the id no-such-id"),
        "{missing:?}"
    );
    for (args, expected) in
        [(&["replay"][..], "required"), (&["replay", "x", "--all"], "cannot be used with"), (&["purge"], "required")]
    {
        let ended = run(&[&["dead-letters"], args].concat()).await;
        assert!(ended.code == Some(2) && ended.stderr.contains(expected), "{ended:?}");
    }
    let local = run(&["dead-letters", "list", "--region", "eu-west-1"]).await;
    assert!(local.code == Some(1) && local.stderr.contains("--queue-url"), "{local:?}");
    let bad = run(&["dead-letters", "list", "--queue-url", "queue"]).await;
    assert!(bad.code == Some(1) && bad.stderr.contains("--queue-url must be the URL of a queue"), "{bad:?}");
    let (_closed, free) = closed_port();
    let nobody = run(&["dead-letters", "list", "--endpoint-url", &format!("http://{free}")]).await;
    assert!(nobody.code == Some(1) && nobody.stderr.contains("is `entity-stream local` running there?"), "{nobody:?}");
}
