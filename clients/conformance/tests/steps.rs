//! The steps of the server, with a plain WebSocket client.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that panics has failed, and says where")]

use std::time::Duration;

use entity_stream_conformance::{ConformanceServer, scenarios};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

type Socket = WebSocketStream<TcpStream>;

async fn open(server: &ConformanceServer, query: &str) -> Result<Socket, Error> {
    let request = format!("{}/?{query}", server.url()).into_client_request()?;
    let address = server.url().replace("ws://", "");
    Ok(client_async(request, TcpStream::connect(address).await?).await?.0)
}

async fn send(socket: &mut Socket, message: &Value) {
    socket.send(Message::text(message.to_string())).await.unwrap();
}

async fn received(socket: &mut Socket) -> Value {
    match socket.next().await.unwrap().unwrap() {
        Message::Text(text) => serde_json::from_str(&text).unwrap(),
        other => panic!("{other:?}"),
    }
}

/// Does steps that succeed.
async fn play(server: &ConformanceServer, steps: &[Value]) {
    for step in steps {
        if let Err(error) = server.step(step).await {
            panic!("{step}: {error}");
        }
    }
}

async fn refused(server: &ConformanceServer, step: Value) -> String {
    server.step(&step).await.expect_err("the step fails").to_string()
}

async fn impatient() -> ConformanceServer {
    ConformanceServer::start().await.unwrap().with_longest_wait(Duration::from_millis(500))
}

#[tokio::test]
async fn a_subscription_is_read_answered_and_gets_events() {
    let server = ConformanceServer::start().await.unwrap();
    let mut socket = open(&server, "tenant=Demo&subscribe=none&batch=true").await.unwrap();
    play(&server, &[json!({ "accept": 1, "query": { "subscribe": "none", "group_id": null } })]).await;
    let subscriptions = json!([{ "subscription": "a", "entityTypes": ["Room"], "snapshot": true }]);
    send(&mut socket, &json!({ "action": "subscribe", "subscriptions": subscriptions, "requestId": "7" })).await;
    play(
        &server,
        &[
            json!({ "read": { "action": "subscribe", "subscription": "a" }, "absent": ["since"] }),
            json!({ "answer": { "type": "subscribed", "position": "p1", "session": "s" } }),
            json!({ "event": "e1", "type": "Hall", "position": "p2", "version": 3, "data": { "a": 1 } }),
            json!({ "frame": [{ "event": "e2", "to": ["b"] }, { "event": "x", "change": "entitySnapshot", "version": 7 }] }),
            json!({ "raw": "{" }),
        ],
    )
    .await;
    let answer = received(&mut socket).await;
    assert_eq!(answer["subscriptions"], json!([{ "subscription": "a", "entityTypes": ["Room"] }]));
    assert_eq!((&answer["requestId"], &answer["position"]), (&json!("7"), &json!("p1")));
    assert_eq!(
        received(&mut socket).await,
        json!({ "type": "entityUpdated", "id": "e1", "tenant": "demo", "servicePath": "/", "data": { "a": 1 },
            "entityId": "urn:ngsi-ld:Hall:1", "entityType": "Hall", "timestamp": "2026-01-02T03:04:05Z",
            "position": "p2", "version": 3, "subscriptions": ["a"] })
    );
    let frame = received(&mut socket).await;
    assert_eq!(frame["events"][0]["subscriptions"], json!(["b"]));
    assert_eq!(frame["events"][1]["type"], "entitySnapshot");
    assert_eq!(frame["events"][1]["id"], "snapshot-7-urn:ngsi-ld:Room:1");
    assert_eq!(socket.next().await.unwrap().unwrap(), Message::text("{"));
}

#[tokio::test]
async fn signs_of_life_are_answered_until_the_connection_is_silent() {
    let server = impatient().await;
    let mut socket = open(&server, "tenant=demo").await.unwrap();
    play(&server, &[json!({ "accept": 1 }), json!({ "event": "e1", "position": "p4" })]).await;
    assert!(received(&mut socket).await.get("subscriptions").is_none(), "only the default subscription");
    play(&server, &[json!({ "answerNextSync": { "type": "error", "code": "not_connected" } })]).await;
    for expected in [json!("error"), json!("synced"), json!("pong")] {
        let action = if expected == "pong" { "ping" } else { "sync" };
        send(&mut socket, &json!({ "action": action, "requestId": "1" })).await;
        let answer = received(&mut socket).await;
        assert_eq!((&answer["type"], &answer["requestId"]), (&expected, &json!("1")));
        assert!(expected != "synced" || answer["position"] == "p4");
    }
    play(&server, &[json!({ "untilSigns": 3 }), json!({ "silent": true })]).await;
    send(&mut socket, &json!({ "action": "ping" })).await;
    assert!(refused(&server, json!({ "untilSigns": 4 })).await.contains("4 answered ping"));
    play(&server, &[json!({ "drop": true })]).await;
    assert!(!matches!(socket.next().await, Some(Ok(_))), "no close frame");
}

#[tokio::test]
async fn handshakes_are_refused_closed_and_left_open_in_turn() {
    let server = ConformanceServer::start().await.unwrap();
    let plans = [json!({ "refuse": 429 }), json!({ "refuseAfterHandshake": 1008 }), json!({ "stall": true })];
    play(&server, &plans).await;
    let Err(Error::Http(response)) = open(&server, "tenant=demo").await else { panic!() };
    assert_eq!(response.status(), 429);
    let mut closed = open(&server, "tenant=demo").await.unwrap();
    let Message::Close(Some(frame)) = closed.next().await.unwrap().unwrap() else { panic!() };
    assert_eq!(u16::from(frame.code), 1008);
    assert!(closed.next().await.is_none());
    let stalled = tokio::time::timeout(Duration::from_millis(500), open(&server, "tenant=demo")).await;
    assert!(stalled.is_err());
    play(
        &server,
        &[
            json!({ "untilEnded": 1 }),
            json!({ "connections": 1 }),
            json!({ "attempts": 3 }),
            json!({ "serveRest": true }),
        ],
    )
    .await;
    let mut served = open(&server, "tenant=demo&subscribe=none").await.unwrap();
    send(&mut served, &json!({ "action": "subscribe", "requestId": "1" })).await;
    assert_eq!(received(&mut served).await, json!({ "type": "subscribed", "requestId": "1" }));
    play(&server, &[json!({ "end": 4000, "reason": "enough" })]).await;
    let Message::Close(Some(frame)) = served.next().await.unwrap().unwrap() else { panic!() };
    assert_eq!((u16::from(frame.code), frame.reason.as_str()), (4000, "enough"));
}

#[tokio::test]
async fn tokens_are_counted_and_time_begins_with_the_last_new_one() {
    let server = ConformanceServer::start().await.unwrap();
    let mut request = format!("{}/?tenant=demo&token=a", server.url()).into_client_request().unwrap();
    let protocols = HeaderValue::from_static("access_token, b");
    request.headers_mut().insert("sec-websocket-protocol", protocols);
    let stream = TcpStream::connect(server.url().replace("ws://", "")).await.unwrap();
    let (mut socket, response) = client_async(request, stream).await.unwrap();
    assert_eq!(response.headers()["sec-websocket-protocol"], "access_token");
    play(&server, &[json!({ "accept": 1 }), json!({ "tokens": 1 })]).await;
    for token in ["b", "c"] {
        send(&mut socket, &json!({ "action": "authenticate", "token": token })).await;
        play(&server, &[json!({ "readWithin": { "token": token }, "seconds": 20 })]).await;
    }
    play(&server, &[json!({ "tokens": 2 })]).await;
    send(&mut socket, &json!({ "action": "authenticate", "token": "d" })).await;
    let late = refused(&server, json!({ "readWithin": { "token": "d" }, "seconds": 0 })).await;
    assert!(late.contains("it came after"), "{late}");
}

#[tokio::test]
async fn a_step_that_fails_says_what_was_expected_and_what_came() {
    let server = impatient().await;
    assert!(refused(&server, json!({ "accept": 1 })).await.contains("expected connection 1"));
    assert!(refused(&server, json!({ "drop": true })).await.contains("no such connection"));
    let mut socket = open(&server, "tenant=demo").await.unwrap();
    let parameter = refused(&server, json!({ "accept": 1, "query": { "subscribe": "none" } })).await;
    assert!(parameter.contains("expected the parameter subscribe"), "{parameter}");
    assert!(refused(&server, json!({ "read": {} })).await.contains("it has not come"));
    send(&mut socket, &json!({ "action": "subscribe", "q": "a" })).await;
    let read = refused(&server, json!({ "read": { "action": "subscribe", "q": "b" } })).await;
    assert!(read.contains(r#"found {"action":"subscribe","q":"a"}"#), "{read}");
    socket.close(None).await.unwrap();
    while socket.next().await.is_some() {}
    play(&server, &[json!({ "untilEnded": 1 })]).await;
    assert!(refused(&server, json!({ "event": "e1" })).await.contains("connection 1 has ended"));
    assert!(refused(&server, json!({ "read": {} })).await.contains("ended the connection"));
    assert!(server.step_line("{").await.starts_with(r#"{"error":"not JSON"#));
    assert_eq!(server.step_line(r#"{"connections":1}"#).await, r#"{"ok":true}"#);
}

#[test]
fn each_scenario_has_a_name_a_reason_options_and_steps() {
    let all = scenarios().unwrap();
    assert!(all.len() > 10);
    let mut names: Vec<&str> = all.iter().map(|(_, scenario)| scenario["name"].as_str().unwrap()).collect();
    for (file, scenario) in &all {
        let is_text = |name: &str| scenario[name].as_str().is_some_and(|text| !text.is_empty());
        assert!(is_text("name") && is_text("reason"), "{file}");
        assert!(scenario["options"].is_object() && !scenario["steps"].as_array().unwrap().is_empty(), "{file}");
        assert_eq!(scenario.as_object().unwrap().len(), 4, "{file}");
    }
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all.len(), "two scenarios have one name");
}
