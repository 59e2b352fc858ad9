//! Opening connections, and refusals.

use std::time::Duration;

use entity_stream_local::{Config, FunctionHost, FunctionNames, RefusalDelay, RefuseWith};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::harness::raw::{HANDSHAKE, Raw};
use crate::harness::{Client, Endpoint, Reply, System, config, request, room};

const KEY: (&str, &str) = ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");

async fn refusal(system: &System, query: &str) -> (u16, String) {
    let refusal = Client::connect(&system.url(query), &[]).await.err().expect("the handshake fails");
    let body: Value = serde_json::from_str(&refusal.body).unwrap_or_default();
    (refusal.status, body["message"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn a_malformed_query_is_refused_with_400_and_a_reason() {
    let system = System::start().await;
    for (query, reason) in [
        ("", "tenant is required"),
        ("tenant=", "a tenant is 1 to 63"),
        ("tenant=a&tenant=b", "tenant is repeated"),
        ("tenant=a&idPattern=(", "unclosed group"),
        ("tenant=a&entityTypes=A,,B", "1 to 256"),
        ("tenant=a&format=xml", "json (the default) or cloudevents"),
        ("tenant=a&group_id=a%20b", "group_id"),
        ("tenant=a&idPattern=Z%FCrich", "idPattern is not UTF-8"),
        ("tenant=a&entityTypes=%C3", "entityTypes is not UTF-8"),
        ("tenant=Z%FCrich", "tenant is not UTF-8"),
    ] {
        let (status, message) = refusal(&system, query).await;
        assert_eq!(status, 400, "{query}");
        assert!(message.contains(reason), "{query}: {message}");
    }
    assert!(system.items().await.is_empty(), "no connection was registered");
}

#[tokio::test]
async fn the_offered_access_token_is_selected_and_the_token_is_not_repeated() {
    let system = System::start().await;
    let offer = [("sec-websocket-protocol", "access_token, eyJhbGciOi.J9.x")];
    let mut client = Client::connect(&system.url("tenant=demo"), &offer).await.unwrap();
    assert_eq!(client.headers["sec-websocket-protocol"], "access_token");
    assert!(!format!("{:?}", client.headers).contains("eyJhbGciOi"));
    system.publish(&room("demo", "r")).await;
    assert_eq!(client.event_id().await, "r");
    let without = system.connect("tenant=demo").await;
    assert!(!without.headers.contains_key("sec-websocket-protocol"), "only offered sub-protocols are selected");
}

#[tokio::test]
async fn while_streaming_is_off_connections_are_refused_and_events_ignored() {
    let system = System::start_with(Config { event_streaming_enabled: false, ..config() }).await;
    let mut refused = system.connect("tenant=demo").await;
    assert_eq!(refused.closed_at_once().await, (1013, "event streaming is switched off".to_owned()));
    system.publish(&room("demo", "r")).await;
    system.publish(&json!({ "type": "entityUpdated" })).await;
    system.local.settled().await;
    assert!(system.dead_letters().await.is_empty());
}

#[tokio::test]
async fn other_requests_than_handshakes_are_refused() {
    let system = System::start().await;
    let url = format!("{}/?tenant=demo", system.local.http_url());
    let plain = request("GET", &url, &[], "").await;
    assert_eq!((plain.status, plain.header("upgrade")), (426, Some("websocket")));
    let upgrade = [("connection", "Upgrade"), ("upgrade", "websocket")];
    assert_eq!(request("GET", &url, &upgrade, "").await.status, 400, "no key");
    let old = [upgrade[0], upgrade[1], KEY, ("sec-websocket-version", "8")];
    let answer = request("GET", &url, &old, "").await;
    assert_eq!((answer.status, answer.header("sec-websocket-version")), (400, Some("13")));
    let handshake = [upgrade[0], upgrade[1], KEY, ("sec-websocket-version", "13")];
    let long = format!("{url}&x={}", "x".repeat(4096));
    assert_eq!(request("GET", &long, &handshake, "").await.status, 414);
    for path in ["nowhere", "local/nowhere", "prod"] {
        let answer = request("GET", &format!("{}/{path}", system.local.http_url()), &handshake, "").await;
        assert_eq!((answer.status, answer.text()), (403, r#"{"message":"Forbidden"}"#), "{path}");
    }
}

#[tokio::test]
async fn a_header_may_have_several_lines_but_the_key_has_a_fixed_length() {
    let system = System::start().await;
    let [_, upgrade, key, version] = HANDSHAKE;
    let several = ["Connection: keep-alive", "Connection: Upgrade", upgrade, key, version];
    assert_eq!(Raw::connect(&system, &several).await.status, 101);
    let listed = ["Connection: keep-alive, upgrade", upgrade, key, version];
    assert_eq!(Raw::connect(&system, &listed).await.status, 101);
    for key in ["", "x", "dGhlIHNhbXBsZSBub25jZQ", "c2hvcnQ=", "dGhlIHNhbXBsZSBub25jZSE=", "dGhlIHNhbXBsZSB_b25jZQ=="] {
        let key = format!("Sec-WebSocket-Key: {key}");
        assert_eq!(Raw::connect(&system, &[HANDSHAKE[0], upgrade, &key, version]).await.status, 400, "{key}");
    }
}

#[tokio::test]
async fn the_stage_may_stand_in_the_path() {
    let system = System::start().await;
    let url = format!("{}/local?tenant=demo", system.local.websocket_url());
    let mut client = Client::connect(&url, &[]).await.unwrap();
    system.publish(&room("demo", "r")).await;
    assert_eq!(client.event_id().await, "r");
}

#[tokio::test]
async fn a_result_of_connect_is_read_as_leniently_as_on_aws() {
    for (result, status) in [
        (r#"{"statusCode":"201"}"#, 101),
        (r#"{"statusCode":200,"headers":{"x-count":1}}"#, 101),
        ("{}", 101),
        (r#"{"statusCode":"403"}"#, 403),
        (r#"{"statusCode":"x"}"#, 502),
    ] {
        let lambda = Endpoint::script([Reply::json(result)]).await;
        let functions = FunctionHost::Lambda { endpoint: lambda.url.clone(), names: FunctionNames::default() };
        let refuse_with = RefuseWith::Status;
        let system = System::start_with(Config { functions, refuse_with, ..config() }).await;
        let connected = Client::connect(&system.url("tenant=demo"), &[]).await;
        assert_eq!(connected.err().map_or(101, |refusal| refusal.status), status, "{result}");
    }
}

#[tokio::test]
async fn a_refused_connection_is_held_before_it_is_closed() {
    let hour = Duration::from_secs(3600);
    let lambda = Endpoint::script([Reply::json(r#"{"statusCode":401,"body":"{\"message\":\"no\"}"}"#)]).await;
    let functions = FunctionHost::Lambda { endpoint: lambda.url.clone(), names: FunctionNames::default() };
    let refusal_delay = RefusalDelay { first: hour, longest: hour };
    let system = System::start_with(Config { functions, refusal_delay, ..config() }).await;
    let mut client = system.connect("tenant=demo").await;
    client.send(r#"{"action":"ping"}"#).await;
    let frame = timeout(Duration::from_millis(200), client.next()).await;
    assert!(frame.is_err(), "no answer and no close: {frame:?}");
    client.close().await;
}
