//! The end of connections, and the events of `$disconnect`.

use std::time::Duration;

use entity_stream_local::{Config, FunctionHost, FunctionNames, Times};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

use crate::harness::{Client, Endpoint, Reply, System, config, request, until};

const KB: usize = 1024;

/// A system whose functions only record their events.
async fn witness() -> (Endpoint, System) {
    let lambda = Endpoint::script([Reply::json(r#"{"statusCode":200}"#)]).await;
    let functions = FunctionHost::Lambda { endpoint: lambda.url.clone(), names: FunctionNames::default() };
    let system = System::start_with(Config { functions, ..config() }).await;
    (lambda, system)
}

/// The events of one function.
fn events(lambda: &Endpoint, function: &str) -> Vec<Value> {
    let path = format!("/2015-03-31/functions/{function}/invocations");
    let asked = lambda.asked().into_iter().filter(|asked| asked.path == path);
    asked.map(|asked| serde_json::from_slice(&asked.body).unwrap()).collect()
}

/// The request context of the only `$disconnect`.
async fn disconnect_context(lambda: &Endpoint) -> Value {
    until("$disconnect is invoked", async || !events(lambda, "disconnect").is_empty()).await;
    let events = events(lambda, "disconnect");
    assert_eq!(events.len(), 1, "once");
    events[0]["requestContext"].clone()
}

async fn expect_disconnect(lambda: &Endpoint, code: u16, reason: &str) {
    let context = disconnect_context(lambda).await;
    assert_eq!((&context["disconnectStatusCode"], &context["disconnectReason"]), (&json!(code), &json!(reason)));
}

#[tokio::test]
async fn a_client_that_leaves_is_forgotten() {
    let system = System::start().await;
    system.connect("tenant=demo&entityTypes=A,B,C").await.close().await;
    system.until_no_connection_is_registered().await;
    drop(system.connect("tenant=demo").await);
    system.until_no_connection_is_registered().await;
}

#[tokio::test]
async fn the_clients_code_and_reason_reach_disconnect() {
    let (lambda, system) = witness().await;
    let mut client = system.connect("tenant=demo").await;
    client.send_frame(Message::Close(Some(CloseFrame { code: 4001.into(), reason: "bye".into() }))).await;
    assert_eq!(client.closed().await.0, 4001, "the close frame is answered");
    expect_disconnect(&lambda, 4001, "bye").await;
}

#[tokio::test]
async fn a_close_without_a_code_is_1005_and_a_lost_connection_1006() {
    let (lambda, system) = witness().await;
    system.connect("tenant=demo").await.close().await;
    expect_disconnect(&lambda, 1005, "Client-side close frame status not set").await;
    let (lambda, system) = witness().await;
    drop(system.connect("tenant=demo").await);
    expect_disconnect(&lambda, 1006, "").await;
}

#[tokio::test]
async fn events_have_api_gateways_fields_and_no_others() {
    let (lambda, system) = witness().await;
    let mut client = system.connect("tenant=demo&x=1&x=2").await;
    client.send(r#"{"action":"subscribe"}"#).await;
    until("the message is handled", async || !events(&lambda, "default").is_empty()).await;
    client.close().await;
    let disconnect = disconnect_context(&lambda).await;
    let (connect, message) = (events(&lambda, "connect").remove(0), events(&lambda, "default").remove(0));
    let fields = |event: &Value| event.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(fields(&message), ["body", "isBase64Encoded", "requestContext"], "a message has no headers");
    assert_eq!(connect["queryStringParameters"], json!({ "tenant": "demo", "x": "2" }));
    assert_eq!(connect["multiValueQueryStringParameters"], json!({ "tenant": ["demo"], "x": ["1", "2"] }));
    assert!(connect["headers"]["Sec-WebSocket-Key"].is_string() && connect["headers"].get("Upgrade").is_none());
    let event = events(&lambda, "disconnect").remove(0);
    let host = system.local.websocket_url().replace("ws://", "");
    let headers = json!({ "Host": host, "x-api-key": "", "X-Forwarded-For": "", "x-restapi": "" });
    assert_eq!(event["headers"], headers, "exactly these four headers");
    let several = headers.as_object().unwrap().iter().map(|(name, value)| (name.clone(), json!([value])));
    assert_eq!(event["multiValueHeaders"], Value::Object(several.collect()));
    let contexts = [&connect["requestContext"], &message["requestContext"], &disconnect];
    for (context, event_type) in contexts.into_iter().zip(["CONNECT", "MESSAGE", "DISCONNECT"]) {
        assert_eq!(context["eventType"], json!(event_type));
        assert_eq!(context["requestId"], context["extendedRequestId"]);
        assert_eq!(context["connectedAt"], connect["requestContext"]["connectedAt"], "the same in all events");
        assert_eq!(context["identity"], json!({ "sourceIp": "127.0.0.1" }), "the client sent no User-Agent");
        for field in ["accountId", "httpMethod", "path"] {
            assert!(context.get(field).is_none(), "{field} is never present");
        }
    }
    assert!(message["requestContext"]["messageId"].is_string() && connect["requestContext"].get("messageId").is_none());
}

#[tokio::test]
async fn a_message_is_handled_after_its_sender_has_left() {
    let (lambda, system) = witness().await;
    let mut client = system.connect("tenant=demo").await;
    client.send(r#"{"action":"subscribe"}"#).await;
    drop(client);
    expect_disconnect(&lambda, 1006, "").await;
    until("$default is invoked", async || events(&lambda, "default").len() == 1).await;
}

#[tokio::test]
async fn without_a_query_the_maps_are_absent() {
    let (lambda, system) = witness().await;
    let _client = Client::connect(&system.local.websocket_url(), &[]).await.unwrap();
    let connect = events(&lambda, "connect").remove(0);
    assert!(connect.get("queryStringParameters").is_none());
    assert!(connect.get("multiValueQueryStringParameters").is_none());
}

#[tokio::test]
async fn binary_frames_large_messages_and_protocol_errors_end_the_connection() {
    let text = OpCode::Data(Data::Text);
    let whole = |bytes: usize| Message::Frame(Frame::message(vec![b'x'; bytes], text, true));
    for (frames, code) in [
        (vec![Message::Binary(vec![1, 2].into())], 1003),
        (vec![whole(32 * KB + 1)], 1009),
        // The message is so large that the client is still sending when it is refused.
        (vec![whole(8 * 1024 * KB)], 1009),
        (fragments(128 * KB + 1), 1009),
        (vec![Message::Frame(Frame::message(vec![0xff, 0xfe], text, true))], 1007),
        (vec![Message::Frame(Frame::message(vec![], OpCode::Data(Data::Reserved(3)), true))], 1002),
    ] {
        let (lambda, system) = witness().await;
        let mut client = system.connect("tenant=demo").await;
        for frame in frames {
            client.send_frame(frame).await;
        }
        assert_eq!(client.closed().await.0, code);
        drop(client);
        assert_eq!(disconnect_context(&lambda).await["disconnectStatusCode"], json!(code));
        assert!(events(&lambda, "default").is_empty(), "the message reached no function");
    }
}

#[tokio::test]
async fn the_largest_frame_and_the_largest_message_are_accepted() {
    let (lambda, system) = witness().await;
    let mut client = system.connect("tenant=demo").await;
    client.send("x".repeat(32 * KB)).await;
    for frame in fragments(128 * KB) {
        client.send_frame(frame).await;
    }
    until("both are handled", async || events(&lambda, "default").len() == 2).await;
    let mut sizes: Vec<usize> =
        events(&lambda, "default").iter().map(|event| event["body"].as_str().unwrap().len()).collect();
    sizes.sort_unstable();
    assert_eq!(sizes, [32 * KB, 128 * KB]);
}

/// A text message in frames of 32 KB.
fn fragments(bytes: usize) -> Vec<Message> {
    let frame = |from: usize| {
        let opcode = OpCode::Data(if from == 0 { Data::Text } else { Data::Continue });
        let size = (bytes - from).min(32 * KB);
        Message::Frame(Frame::message(vec![b'x'; size], opcode, from + size == bytes))
    };
    (0..bytes).step_by(32 * KB).map(frame).collect()
}

#[tokio::test]
async fn silence_and_age_end_a_connection_with_1001() {
    let brief = Duration::from_millis(300);
    for times in [Times { idle_timeout: brief, ..Times::default() }, Times { max_duration: brief, ..Times::default() }]
    {
        let system = System::start_with(Config { times, ..config() }).await;
        let mut client = system.connect("tenant=demo").await;
        assert_eq!(client.closed().await, (1001, "Going away".to_owned()));
        system.until_no_connection_is_registered().await;
    }
}

#[tokio::test]
async fn messages_either_way_put_the_idle_time_out_off() {
    let times = Times { idle_timeout: Duration::from_secs(4), ..Times::default() };
    let system = System::start_with(Config { times, ..config() }).await;
    let mut client = system.connect("tenant=demo").await;
    let id = system.only_connection().await;
    let url = format!("{}/@connections/{id}", system.local.http_url());
    // Sends a message every quarter of the time-out, for longer than the time-out. The test has to let time pass.
    for n in 0..6 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        if n % 2 == 0 {
            client.nothing_more(&system).await;
        } else {
            request("POST", &url, &[], "x").await;
            assert_eq!(client.text().await, "x");
        }
    }
    assert_eq!(client.closed().await.0, 1001, "silence ends the connection");
}

#[tokio::test]
async fn when_the_system_stops_clients_get_1001_and_no_connection_stays_registered() {
    let folder = tempfile::tempdir().unwrap();
    let data = Some(folder.path().join("table.db"));
    let system = System::start_with(Config { data: data.clone(), ..config() }).await;
    let mut clients = [system.connect("tenant=demo").await, system.connect("tenant=demo").await];
    let (_, ()) = tokio::join!(
        async {
            for client in &mut clients {
                assert_eq!(client.closed().await, (1001, "Going away".to_owned()));
            }
        },
        system.local.shutdown()
    );
    let system = System::start_with(Config { data, ..config() }).await;
    assert!(system.items().await.is_empty(), "$disconnect ran for each of them");
}
