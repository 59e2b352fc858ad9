//! Each kind of dead letter: made by the system, listed, shown, replayed to the connections that lack the event, and deleted.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_sdk_sqs::types::{MessageAttributeValue, MessageSystemAttributeName, QueueAttributeName};
use entity_stream_local::{
    CONNECTIONS_TABLE, Config, DEAD_LETTER_QUEUE_PATH, FunctionHost, FunctionNames, Times, aws_config,
};
use serde_json::{Value, json};

use crate::harness::{
    Answer, Client, Endpoint, Functions, Hands, Reply, System, change, config, envelope, request, room,
};

/// A value of the test's entities, which no list may show.
const VALUE: &str = "23.5";

async fn ask(system: &System, method: &str, path: &str) -> Answer {
    request(method, &format!("{}/_local/dead-letters{path}", system.local.http_url()), &[], "").await
}

/// The list of the page, which holds no values.
async fn listed(system: &System) -> Vec<Value> {
    let answer = ask(system, "GET", "/summary").await;
    assert!(!answer.text().contains(VALUE), "{}", answer.text());
    let mut list: Value = serde_json::from_slice(&answer.body).unwrap();
    list["letters"].take().as_array().unwrap().clone()
}

fn text<'a>(letter: &'a Value, field: &str) -> &'a str {
    letter[field].as_str().unwrap_or_else(|| panic!("{field} of {letter}"))
}

/// Connects a client, and returns it with the id of its connection.
async fn connected(system: &System, query: &str) -> (String, Client) {
    let before = system.connection_ids().await;
    let client = system.connect(query).await;
    let new = system.connection_ids().await.into_iter().find(|id| !before.contains(id)).unwrap();
    (new.as_str().to_owned(), client)
}

#[tokio::test]
async fn the_rest_of_an_event_is_replayed_to_the_connections_that_lack_it() {
    let (system, hands) = (System::start().await, Hands::default());
    let mut clients = Vec::new();
    for _ in 0..6 {
        clients.push(connected(&system, "tenant=demo").await);
    }
    let _other_tenant = system.connect("tenant=city").await;
    // `@connections` accepts the event for two connections, and does not answer for the others.
    let served: Arc<Vec<String>> = Arc::new(clients.iter().take(2).map(|(id, _)| id.replace('=', "%3D")).collect());
    let connections_api = Endpoint::new(move |asked| {
        let is_served = served.iter().any(|id| asked.path.ends_with(id));
        if is_served { Reply::status(200) } else { Reply::Never }
    })
    .await;
    let url = system.local.dynamodb_url();
    let (functions, _bus) = Functions::with_bus(&system, &url, &connections_api, &hands, &[]).await;
    let published: Value = serde_json::from_str(&envelope("e-1", &room("demo", "r"))).unwrap();
    let continuation = json!({
        "version": "0", "id": "c-8", "detail-type": "EntityStreamContinuation", "source": "entity-stream",
        "time": "2026-01-02T03:04:05Z",
        "detail": { "type": "entityUpdated", "event": published, "ranges": ["0-ffffffffffffffff"], "depth": 8 },
    });
    functions.broadcast(&continuation.to_string(), 4).await.unwrap();

    let letters = listed(&system).await;
    assert_eq!(letters.len(), 1, "{letters:?}");
    let (id, letter) = (text(&letters[0], "id"), &letters[0]);
    assert_eq!((text(letter, "kind"), text(letter, "errorCode")), ("incomplete", "DeliveryIncomplete"));
    assert_eq!((text(letter, "tenant"), text(letter, "eventId"), &letter["replayable"]), ("demo", "e-1", &json!(true)));
    let whole = ask(&system, "GET", &format!("/{id}")).await;
    assert!(whole.text().contains(VALUE), "{}", whole.text());

    let replayed = ask(&system, "POST", &format!("/{id}/replay")).await;
    assert_eq!(replayed.status, 200, "{}", replayed.text());
    for (_, client) in &mut clients[2..] {
        assert_eq!(client.json().await["id"], "e-1", "clients drop repeats by this id");
    }
    for (_, client) in &mut clients {
        client.nothing_more(&system).await;
    }
    assert_eq!(listed(&system).await.len(), 0);
    assert_eq!(ask(&system, "POST", &format!("/{id}/replay")).await.status, 404);
}

#[tokio::test]
async fn a_failed_event_is_replayed_when_the_cause_is_gone() {
    // The function reads the table again until its time is up.
    let times = Times { broadcast_timeout: Duration::from_secs(3), retry_delays: Vec::new(), ..Times::default() };
    let system = System::start_with(Config { times, ..config() }).await;
    let mut client = system.connect("tenant=demo&entityTypes=Room").await;
    let mut other = system.connect("tenant=demo&entityTypes=Sensor").await;
    // The table disappears for a while.
    let dynamodb = aws_sdk_dynamodb::Client::new(&aws_config(&system.local.dynamodb_url()));
    let items = system.items().await;
    dynamodb.delete_table().table_name(CONNECTIONS_TABLE).send().await.unwrap();
    let detail = room("demo", "r").to_string().replace(VALUE, "1.10000000000000000001");
    let event_id = system.publish_text(&detail).await;
    let letters = system.until_dead_letters(1).await;
    let id = text(&letters[0], "id");
    assert_eq!((text(&letters[0], "kind"), &letters[0]["attempts"]), ("failed", &json!(1)));
    assert_eq!(listed(&system).await[0]["eventId"], json!(event_id));

    // It fails again, and stays in the queue.
    let failed = ask(&system, "POST", &format!("/{id}/replay")).await;
    assert_eq!((failed.status, listed(&system).await.len()), (502, 1), "{}", failed.text());

    system.table().create_if_missing().await.unwrap();
    for item in items {
        dynamodb.put_item().table_name(CONNECTIONS_TABLE).set_item(Some(item)).send().await.unwrap();
    }
    let replayed = ask(&system, "POST", &format!("/{id}/replay")).await;
    assert_eq!(replayed.status, 200, "{}", replayed.text());
    let received = client.text().await;
    assert!(received.contains(&event_id) && received.contains("1.10000000000000000001"), "{received}");
    client.nothing_more(&system).await;
    other.nothing_more(&system).await;
    assert_eq!(listed(&system).await.len(), 0);
}

#[tokio::test]
async fn an_undeliverable_event_is_deleted_and_not_replayed() {
    let system = System::start().await;
    let mut nameless = room("demo", "r");
    nameless.as_object_mut().unwrap().remove("entityType");
    nameless["changedAttributes"] = json!(VALUE);
    for _ in 0..2 {
        system.publish(&nameless).await;
    }
    system.until_dead_letters(2).await;
    let letters = listed(&system).await;
    assert!(letters.iter().all(|letter| text(letter, "kind") == "undeliverable" && letter["replayable"] == false));
    let id = text(&letters[0], "id");
    let refused = ask(&system, "POST", &format!("/{id}/replay")).await;
    assert_eq!(refused.status, 409);
    assert!(refused.text().contains("malformed"), "{}", refused.text());
    assert_eq!(ask(&system, "DELETE", &format!("/{id}")).await.text(), r#"{"deleted":1}"#);
    assert_eq!(ask(&system, "DELETE", &format!("/{id}")).await.status, 404);
    assert_eq!(ask(&system, "GET", &format!("/{id}")).await.status, 404);
    assert_eq!(ask(&system, "DELETE", "").await.text(), r#"{"deleted":1}"#);
    assert_eq!(system.dead_letters().await, [Value::Null; 0]);
}

#[tokio::test]
async fn the_queue_has_receipts_and_visibility_timeouts() {
    let system = System::start().await;
    let sqs = aws_sdk_sqs::Client::new(&aws_config(&system.local.http_url()));
    let queue = format!("{}/{DEAD_LETTER_QUEUE_PATH}", system.local.http_url());
    let code = MessageAttributeValue::builder().data_type("String").string_value("DeliveryIncomplete").build().unwrap();
    let sent = sqs.send_message().queue_url(&queue).message_body("{}").message_attributes("ErrorCode", code);
    let id = sent.send().await.unwrap().message_id.unwrap();
    let receive = async |visibility| {
        let request = sqs.receive_message().queue_url(&queue).visibility_timeout(visibility).max_number_of_messages(10);
        let request = request.message_attribute_names("All");
        let request = request.message_system_attribute_names(MessageSystemAttributeName::ApproximateReceiveCount);
        request.send().await.unwrap().messages.unwrap_or_default()
    };
    let first = receive(60).await;
    assert_eq!(first[0].message_id(), Some(id.as_str()));
    assert_eq!(first[0].message_attributes().unwrap()["ErrorCode"].string_value(), Some("DeliveryIncomplete"));
    assert!(receive(60).await.is_empty(), "the message is in flight");
    let counts = async || {
        let request = sqs.get_queue_attributes().queue_url(&queue).attribute_names(QueueAttributeName::All);
        let attributes = request.send().await.unwrap().attributes.unwrap();
        let count = |name: QueueAttributeName| attributes[&name].clone();
        (
            count(QueueAttributeName::ApproximateNumberOfMessages),
            count(QueueAttributeName::ApproximateNumberOfMessagesNotVisible),
        )
    };
    assert_eq!(counts().await, ("0".to_owned(), "1".to_owned()));

    let handle = first[0].receipt_handle().unwrap();
    let give_back = sqs.change_message_visibility().queue_url(&queue).receipt_handle(handle).visibility_timeout(0);
    give_back.clone().send().await.unwrap();
    let error = give_back.send().await.unwrap_err().into_service_error();
    assert!(error.is_message_not_inflight(), "{error:?}");
    let second = receive(60).await;
    let attributes = second[0].attributes().unwrap();
    assert_eq!(attributes[&MessageSystemAttributeName::ApproximateReceiveCount], "2");

    let delete = async |handle: &str| sqs.delete_message().queue_url(&queue).receipt_handle(handle).send().await;
    let error = delete("no handle").await.unwrap_err().into_service_error();
    assert!(error.is_receipt_handle_is_invalid(), "{error:?}");
    delete(handle).await.unwrap();
    assert_eq!(system.dead_letters().await.len(), 1, "an old handle deletes nothing");
    delete(second[0].receipt_handle().unwrap()).await.unwrap();
    assert!(system.dead_letters().await.is_empty());

    // A request that waits gets the message that arrives meanwhile.
    let waiting = sqs.receive_message().queue_url(&queue).wait_time_seconds(20).send();
    let (received, sent) = tokio::join!(waiting, sqs.send_message().queue_url(&queue).message_body("later").send());
    sent.unwrap();
    assert_eq!(received.unwrap().messages()[0].body(), Some("later"));
    sqs.purge_queue().queue_url(&queue).send().await.unwrap();
    assert!(system.dead_letters().await.is_empty());

    let many = sqs.receive_message().queue_url(&queue).max_number_of_messages(11).send().await.unwrap_err();
    assert!(format!("{many:?}").contains("Must be between 1 and 10"), "{many:?}");
    let other = sqs.list_queues().send().await.unwrap_err();
    assert!(format!("{other:?}").contains("InvalidAction"), "{other:?}");
}

#[tokio::test]
async fn the_broadcast_function_can_be_invoked_as_on_lambda() {
    let system = System::start().await;
    let mut client = system.connect("tenant=demo").await;
    let url = |name: &str| format!("{}/2015-03-31/functions/{name}/invocations", system.local.http_url());
    let event = envelope("e-1", &change("demo", "Room", "r"));
    let answer = request("POST", &url("broadcast"), &[], event.clone()).await;
    assert_eq!((answer.status, answer.header("x-amz-function-error")), (200, None));
    assert_eq!(serde_json::from_slice::<Value>(&answer.body).unwrap()["delivered"], 1);
    assert_eq!(client.json().await["id"], "e-1");

    let unknown = request("POST", &url("connect"), &[], event.clone()).await;
    assert_eq!((unknown.status, unknown.header("x-amzn-errortype")), (404, Some("ResourceNotFoundException")));
    let asynchronous = request("POST", &url("broadcast"), &[("x-amz-invocation-type", "Event")], event).await;
    assert_eq!(asynchronous.status, 400);
    let no_json = request("POST", &url("broadcast"), &[], "no JSON").await;
    assert_eq!((no_json.status, no_json.header("x-amz-function-error")), (200, Some("Unhandled")));
    client.nothing_more(&system).await;
}

#[tokio::test]
async fn functions_behind_the_invoke_api_get_the_same_event_again() {
    let answers: Arc<Mutex<HashMap<&str, u16>>> = Arc::new(Mutex::new([("status", 500)].into()));
    let chosen = Arc::clone(&answers);
    let lambda = Endpoint::new(move |_| match chosen.lock().unwrap()["status"] {
        200 => Reply::json("{}"),
        status => Reply::status(status),
    })
    .await;
    let functions = FunctionHost::Lambda { endpoint: lambda.url.clone(), names: FunctionNames::default() };
    let system = System::start_with(Config { functions, ..config() }).await;
    system.publish(&room("demo", "r")).await;
    let letters = system.until_dead_letters(1).await;
    let replay = format!("/{}/replay", text(&letters[0], "id"));
    assert_eq!(ask(&system, "POST", &replay).await.status, 502);
    answers.lock().unwrap().insert("status", 200);
    assert_eq!(ask(&system, "POST", &replay).await.status, 200);
    let asked = lambda.asked();
    assert_eq!(asked.len(), 5);
    assert!(asked.windows(2).all(|pair| pair[0].body == pair[1].body), "byte for byte");
}
