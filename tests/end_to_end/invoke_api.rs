//! Functions behind Lambda's Invoke API, and the answers to clients when a function fails.

use std::time::Duration;

use entity_stream_local::{Config, FunctionHost, FunctionNames, Times};
use serde_json::json;

use crate::harness::{Client, Endpoint, Reply, System, config};

const ACCEPT: &str = r#"{"statusCode":200}"#;

async fn system(endpoint: &str) -> System {
    let functions = FunctionHost::Lambda { endpoint: endpoint.to_owned(), names: FunctionNames::default() };
    let times = Times { integration_timeout: Duration::from_secs(5), ..config().times };
    System::start_with(Config { functions, times, ..config() }).await
}

fn function_error() -> Reply {
    Reply::Status(
        200,
        &[("x-amz-function-error", "Unhandled")],
        r#"{"errorType":"Boom","errorMessage":"secret detail"}"#.to_owned(),
    )
}

#[tokio::test]
async fn the_functions_names_can_be_chosen() {
    let lambda = Endpoint::script([Reply::json(ACCEPT)]).await;
    let names = FunctionNames {
        connect: "my-connect".into(),
        disconnect: "my-disconnect".into(),
        default: "my-default".into(),
        broadcast: "my-broadcast".into(),
        ingest: "my-ingest".into(),
    };
    let functions = FunctionHost::Lambda { endpoint: format!("{}/", lambda.url), names };
    let system = System::start_with(Config { functions, ..config() }).await;
    let mut client = system.connect("tenant=demo").await;
    client.send("x").await;
    system.publish(&crate::harness::room("demo", "r")).await;
    client.close().await;
    let notified = crate::harness::request(
        "POST",
        &format!("{}/notify", system.local.http_url()),
        &[("content-type", "application/json")],
        "{}",
    )
    .await;
    assert_eq!(notified.status, 200, "the answer of the function");
    crate::harness::until("all five are invoked", async || lambda.asked().len() == 5).await;
    let mut paths: Vec<String> = lambda.asked().into_iter().map(|asked| asked.path).collect();
    paths.sort();
    let expected = ["my-broadcast", "my-connect", "my-default", "my-disconnect", "my-ingest"];
    assert_eq!(paths, expected.map(|name| format!("/2015-03-31/functions/{name}/invocations")));
    assert!(lambda.asked().iter().all(|asked| asked.method == "POST"));
}

#[tokio::test]
async fn a_failing_connect_fails_the_handshake() {
    for (reply, status) in [
        (function_error(), 502),
        (Reply::Status(500, &[], r#"{"errorType":"Boom","errorMessage":"x"}"#.to_owned()), 502),
        (Reply::Status(429, &[], r#"{"Type":"User","message":"secret rate"}"#.to_owned()), 429),
        (Reply::json("null"), 502),
        (Reply::json(r#"{"statusCode":200,"Data":"x"}"#), 502),
        (Reply::Never, 504),
        (Reply::json(r#"{"statusCode":418,"body":"{\"message\":\"teapot\"}"}"#), 418),
    ] {
        let lambda = Endpoint::script([reply.clone()]).await;
        let system = system(&lambda.url).await;
        let refusal = Client::connect(&system.url("tenant=demo"), &[]).await.err().expect("it fails");
        assert_eq!(refusal.status, status, "{reply:?}");
        assert!(!refusal.body.contains("secret"), "{}", refusal.body);
    }
}

#[tokio::test]
async fn an_unreachable_endpoint_is_502() {
    // It is bound and does not listen, so that no other test can take the port.
    let closed = tokio::net::TcpSocket::new_v4().unwrap();
    closed.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let unused = closed.local_addr().unwrap();
    let system = system(&format!("http://{unused}")).await;
    let refusal = Client::connect(&system.url("tenant=demo"), &[]).await.err().expect("it fails");
    assert_eq!(refusal.status, 502);
}

#[tokio::test]
async fn a_failing_default_is_answered_with_an_error_frame() {
    for reply in [
        function_error(),
        Reply::Status(500, &[], String::new()),
        Reply::status(429),
        Reply::json("null"),
        Reply::json(r#"{"statusCode":200,"ConnectionId":"x"}"#),
        Reply::Never,
    ] {
        let answer = reply.clone();
        let lambda = Endpoint::new(
            move |asked| {
                if asked.path.contains("/default/") { answer.clone() } else { Reply::json(ACCEPT) }
            },
        )
        .await;
        let system = system(&lambda.url).await;
        let mut client = system.connect("tenant=demo").await;
        client.send(r#"{"action":"subscribe"}"#).await;
        let frame = client.text().await;
        let event = lambda.asked().into_iter().find(|asked| asked.path.contains("/default/")).unwrap();
        let event: serde_json::Value = serde_json::from_slice(&event.body).unwrap();
        let id = |name: &str| event["requestContext"][name].as_str().unwrap().to_owned();
        let (connection, request) = (id("connectionId"), id("requestId"));
        let expected = format!(
            r#"{{"message": "Internal server error", "connectionId":"{connection}", "requestId":"{request}"}}"#
        );
        assert_eq!(frame, expected, "{reply:?}");
        client.send(r#"{"action":"ping"}"#).await;
        assert_eq!(client.json().await, json!({ "type": "pong" }), "the connection stays open");
    }
}

#[tokio::test]
async fn the_result_of_a_one_way_route_is_dropped() {
    let lambda = Endpoint::script([Reply::json(r#"{"statusCode":200,"body":"not for the client"}"#)]).await;
    let system = system(&lambda.url).await;
    let mut client = system.connect("tenant=demo").await;
    client.send("anything").await;
    crate::harness::until("the message is handled", async || lambda.asked().len() == 2).await;
    client.nothing_more(&system).await;
}
