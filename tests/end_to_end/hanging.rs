//! A table that stops answering, at each request of each function. The function answers its client, or fails so that Lambda
//! reports it. It never waits until Lambda stops it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use entity_stream_connections::{Authorisation, Connection, Grant};
use entity_stream_protocol::{ConnectionId, ErrorCode, GroupId};
use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::harness::proxy::{Fate, proxy};
use crate::harness::tokens::{SECRET, user};
use crate::harness::{Endpoint, Functions, Hands, Reply, System, lambda_event, result};

/// Lambda stops a function after this time.
const LAMBDA: Duration = Duration::from_secs(29);
const SETTINGS: &[(&str, &str)] = &[("AUTH_ENABLED", "true"), ("JWT_SECRET", SECRET), ("AUTH_IN_BAND", "true")];

/// The functions with a table that answers some requests and no later ones.
struct Hanging {
    functions: Functions,
    api: Endpoint,
    asked: Arc<AtomicUsize>,
}

impl Hanging {
    async fn after(system: &System, requests: usize) -> Self {
        let asked = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&asked);
        let url = proxy(system.local.dynamodb_url(), move || {
            if counter.fetch_add(1, Ordering::SeqCst) < requests { Fate::Pass } else { Fate::Never }
        })
        .await;
        let api = Endpoint::script([Reply::status(200)]).await;
        let (functions, _bus) = Functions::with_bus(system, &url, &api, &Hands::default(), SETTINGS).await;
        Self { functions, api, asked }
    }

    async fn connect(&self, id: &str) -> Value {
        let mut event: Value = serde_json::from_str(include_str!("../../events/connect/every-parameter.json")).unwrap();
        event["requestContext"]["connectionId"] = json!(id);
        for name in ["headers", "multiValueHeaders"] {
            let bearer = format!("Bearer {}", user("smartcity"));
            event[name]["Authorization"] = if name == "headers" { json!(bearer) } else { json!([bearer]) };
        }
        let response = timeout(LAMBDA, self.functions.connect.handle(lambda_event(&event.to_string()))).await;
        result(&response.expect("the function answers").unwrap())
    }

    async fn send(&self, connection: &Connection, message: &Value) -> Option<Value> {
        let mut event: Value = serde_json::from_str(include_str!("../../events/default/ping.json")).unwrap();
        event["body"] = json!(message.to_string());
        event["requestContext"]["connectionId"] = json!(connection.id.as_str());
        event["requestContext"]["connectedAt"] = json!(connection.connected_at.millis());
        let response = timeout(LAMBDA, self.functions.default.handle(lambda_event(&event.to_string()))).await;
        response.expect("the function answers").unwrap();
        let posts = self.api.asked().into_iter().find(|asked| asked.method == "POST");
        posts.map(|asked| serde_json::from_slice(&asked.body).unwrap())
    }
}

fn id(prefix: &str, number: usize) -> ConnectionId {
    ConnectionId::parse(format!("{prefix}{number:02}AMCJA=")).unwrap()
}

#[tokio::test]
async fn connect_answers_503() {
    let system = System::start().await;
    let whole = Hanging::after(&system, usize::MAX).await;
    assert_eq!(whole.connect("WholeAMCJA=").await["statusCode"], 200);
    let requests = whole.asked.load(Ordering::SeqCst);
    assert!(requests >= 4, "slot, group, connection and interests: {requests}");
    join_all((0..requests).map(async |answered| {
        let hanging = Hanging::after(&system, answered).await;
        let response = hanging.connect(id("Connect", answered).as_str()).await;
        assert_eq!(response["statusCode"], 503, "after {answered} requests: {response}");
    }))
    .await;
}

#[tokio::test]
async fn default_answers_internal() {
    let system = System::start().await;
    let granted = Authorisation::Granted(Grant::new("alice", "user", None));
    let messages = [
        (granted.clone(), json!({ "action": "subscribe", "entityTypes": ["Car"], "requestId": "1" })),
        (granted.clone(), json!({ "action": "unsubscribe" })),
        (granted, json!({ "action": "ping" })),
        (Authorisation::Pending, json!({ "action": "authenticate", "token": user("demo") })),
    ];
    join_all(messages.iter().enumerate().map(async |(kind, (authorisation, message))| {
        let register = async |number: usize| {
            let whole = Hanging::after(&system, usize::MAX).await;
            let connection = Connection {
                id: id(["Subscribe", "Unsubscribe", "Ping", "Authenticate"][kind], number),
                group: GroupId::parse("workers").ok(),
                authorisation: authorisation.clone(),
                ..whole.functions.connection("AMCJA=", "demo")
            };
            whole.functions.table.register(&connection).await.unwrap();
            whole.asked.store(0, Ordering::SeqCst);
            (whole, connection)
        };
        let (whole, connection) = register(99).await;
        let answer = whole.send(&connection, message).await;
        assert!(answer.is_none_or(|answer| answer["type"] != "error"), "{message}");
        let requests = whole.asked.load(Ordering::SeqCst);
        assert!(requests > 0, "{message}");
        join_all((0..requests).map(async |answered| {
            let (_, connection) = register(answered).await;
            let hanging = Hanging::after(&system, answered).await;
            let answer = hanging.send(&connection, message).await.expect("an answer");
            assert_eq!(answer["code"], json!(ErrorCode::Internal), "{message} after {answered}: {answer}");
            assert_eq!(answer["requestId"], message["requestId"], "{answer}");
        }))
        .await;
    }))
    .await;
}

#[tokio::test]
async fn disconnect_fails() {
    let system = System::start().await;
    let disconnect = async |hanging: &Hanging, id: &ConnectionId| {
        let mut event: Value =
            serde_json::from_str(include_str!("../../events/disconnect/page-left-1001.json")).unwrap();
        event["requestContext"]["connectionId"] = json!(id.as_str());
        let handled = timeout(LAMBDA, hanging.functions.disconnect.handle(lambda_event(&event.to_string()))).await;
        handled.expect("the function ends")
    };
    let register = async |number: usize| {
        let whole = Hanging::after(&system, usize::MAX).await;
        let authorisation = Authorisation::Granted(Grant::new("alice", "user", None));
        let id = id("Disconnect", number);
        let connection = Connection { authorisation, ..whole.functions.connection(id.as_str(), "demo") };
        whole.functions.table.take_slot(&connection.slot().unwrap(), 100, connection.connected_at).await.unwrap();
        whole.functions.table.register(&connection).await.unwrap();
        whole.asked.store(0, Ordering::SeqCst);
        (whole, id)
    };
    let (whole, connection_id) = register(99).await;
    disconnect(&whole, &connection_id).await.unwrap();
    let requests = whole.asked.load(Ordering::SeqCst);
    assert_eq!(requests, 3, "connection, interests and slot");
    join_all((0..requests).map(async |answered| {
        let (_, id) = register(answered).await;
        let failure = disconnect(&Hanging::after(&system, answered).await, &id).await.unwrap_err();
        assert_eq!(failure.kind, "TableUnavailable", "after {answered} requests: {failure}");
    }))
    .await;
}
