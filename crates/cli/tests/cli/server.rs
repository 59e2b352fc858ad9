//! Servers with behaviour that a real server shows rarely.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::routing::{get, post};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::{HeaderMap, StatusCode};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

use crate::harness::PATIENCE;

/// A WebSocket server that follows the test.
pub(crate) struct WebSocketServer {
    listener: TcpListener,
    pub(crate) url: String,
}

/// The server's end of one connection.
pub(crate) struct Client {
    socket: WebSocketStream<TcpStream>,
    pub(crate) uri: String,
    pub(crate) headers: HeaderMap,
}

impl WebSocketServer {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("ws://{}", listener.local_addr().unwrap());
        Self { listener, url }
    }

    /// Waits for a client and completes its handshake.
    pub(crate) async fn accept(&self) -> Client {
        let (stream, _) = self.listener.accept().await.unwrap();
        let (mut uri, mut headers) = (String::new(), HeaderMap::new());
        #[expect(clippy::result_large_err, reason = "the library's type")]
        let remember = |request: &Request, response: Response| {
            (uri, headers) = (request.uri().to_string(), request.headers().clone());
            Ok::<_, ErrorResponse>(response)
        };
        let socket = tokio_tungstenite::accept_hdr_async(stream, remember).await.unwrap();
        Client { socket, uri, headers }
    }

    /// Waits for a client and refuses its handshake.
    pub(crate) async fn refuse(&self, status: StatusCode, body: &str) {
        let (stream, _) = self.listener.accept().await.unwrap();
        #[expect(clippy::result_large_err, reason = "the library's type")]
        let refuse = |_: &Request, _: Response| {
            let mut refusal = ErrorResponse::new(Some(body.to_owned()));
            *refusal.status_mut() = status;
            Err(refusal)
        };
        assert!(tokio_tungstenite::accept_hdr_async(stream, refuse).await.is_err());
    }
}

impl Client {
    /// The next message.
    pub(crate) async fn message(&mut self) -> Value {
        match self.socket.next().await {
            Some(Ok(Message::Text(text))) => serde_json::from_str(&text).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    /// Reads `subscribe` and answers it.
    pub(crate) async fn subscribed(&mut self) -> Value {
        let subscribe = self.message().await;
        self.send(&json!({ "type": "subscribed", "requestId": subscribe["requestId"] }).to_string()).await;
        subscribe
    }

    pub(crate) async fn send(&mut self, text: &str) {
        self.socket.send(Message::text(text)).await.unwrap();
    }

    /// Closes the connection, and waits until the client has closed it too.
    pub(crate) async fn close(mut self, code: u16, reason: &str) {
        let frame = CloseFrame { code: code.into(), reason: reason.into() };
        self.socket.close(Some(frame)).await.unwrap();
        while let Some(Ok(_)) = self.socket.next().await {}
    }

    /// Waits for the end of the connection. Returns true if the client sent a close frame.
    pub(crate) async fn closed(&mut self) -> bool {
        while let Some(message) = self.socket.next().await {
            match message {
                Ok(Message::Close(_)) => return true,
                Ok(_) => {}
                Err(_) => return false,
            }
        }
        false
    }
}

/// An event bus whose answers the test determines.
pub(crate) struct EventBus {
    pub(crate) url: String,
    /// The details of each request.
    pub(crate) requests: Arc<Mutex<Vec<Vec<Value>>>>,
    arrivals: Arc<Notify>,
}

impl EventBus {
    /// Starts a bus. `judge` returns an error code for the detail of an entry that has to fail.
    pub(crate) async fn start(judge: impl Fn(&Value) -> Option<&'static str> + Send + Sync + 'static) -> Self {
        let requests = Arc::new(Mutex::new(Vec::new()));
        let arrivals = Arc::new(Notify::new());
        let (seen, arrived, judge) = (Arc::clone(&requests), Arc::clone(&arrivals), Arc::new(judge));
        let answer = move |body: String| {
            let (seen, arrived, judge) = (Arc::clone(&seen), Arc::clone(&arrived), Arc::clone(&judge));
            async move {
                let body: Value = serde_json::from_str(&body).unwrap();
                let entries = body["Entries"].as_array().unwrap();
                assert!(entries.iter().all(|entry| entry["Source"] == "entity-stream.cli"));
                assert!(entries.iter().all(|entry| entry["DetailType"] == "entity.changed"));
                let details: Vec<Value> = entries
                    .iter()
                    .map(|entry| serde_json::from_str(entry["Detail"].as_str().unwrap()).unwrap())
                    .collect();
                let mut seen = seen.lock().unwrap();
                let results = details.iter().map(|detail| match judge(detail) {
                    Some(code) => json!({ "ErrorCode": code, "ErrorMessage": "as the test says" }),
                    None => json!({ "EventId": "6f1c2a34-5b6d-4e7f-8a90-b1c2d3e4f506" }),
                });
                let answer = json!({ "Entries": results.collect::<Vec<_>>() }).to_string();
                seen.push(details);
                arrived.notify_waiters();
                ([("content-type", "application/x-amz-json-1.1")], answer)
            }
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        // It never tells its dead letters.
        let letters = get(async || std::future::pending::<()>().await);
        let router = Router::new().route("/", post(answer)).route("/_local/dead-letters/summary", letters);
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, requests, arrivals }
    }

    /// Waits until the details of all requests meet a condition.
    pub(crate) async fn until(&self, is_met: impl Fn(&[Vec<Value>]) -> bool) {
        let met = async {
            loop {
                let arrival = self.arrivals.notified();
                if is_met(&self.requests.lock().unwrap()) {
                    return;
                }
                arrival.await;
            }
        };
        timeout(PATIENCE, met).await.expect("the bus gets what the test waits for");
    }
}
