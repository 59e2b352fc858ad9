//! A WebSocket server that follows the script of a test.

use entity_stream_client::{Client, ClientBuilder};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

/// A server on a free port.
pub(crate) struct Server {
    listener: TcpListener,
    pub(crate) url: String,
}

impl Server {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("ws://{}", listener.local_addr().unwrap());
        Self { listener, url }
    }

    /// The arguments of a client of the tenant `demo`.
    pub(crate) fn client(&self) -> ClientBuilder {
        Client::builder(&self.url, "Demo")
    }

    /// Waits for a TCP connection.
    pub(crate) async fn stream(&self) -> TcpStream {
        self.listener.accept().await.unwrap().0
    }

    /// Waits for a client and completes its handshake.
    pub(crate) async fn accept(&self) -> Peer<TcpStream> {
        Peer::accept(self.stream().await).await
    }

    /// Waits for a client and answers its handshake with this status.
    pub(crate) async fn refuse(&self, status: StatusCode, header: Option<(&'static str, &'static str)>, body: &str) {
        #[expect(clippy::result_large_err, reason = "the library chooses the type")]
        let refuse = |_: &Request, _: Response| {
            let mut refusal = ErrorResponse::new(Some(body.to_owned()));
            *refusal.status_mut() = status;
            if let Some((name, value)) = header {
                refusal.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from_static(value));
            }
            Err(refusal)
        };
        assert!(tokio_tungstenite::accept_hdr_async(self.stream().await, refuse).await.is_err());
    }
}

/// The server's end of a connection.
pub(crate) struct Peer<S> {
    socket: WebSocketStream<S>,
    pub(crate) uri: String,
    pub(crate) headers: HeaderMap,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Peer<S> {
    pub(crate) async fn accept(stream: S) -> Self {
        let (mut uri, mut headers) = (String::new(), HeaderMap::new());
        #[expect(clippy::result_large_err, reason = "the library chooses the type")]
        let remember = |request: &Request, response: Response| {
            (uri, headers) = (request.uri().to_string(), request.headers().clone());
            Ok::<_, ErrorResponse>(response)
        };
        let socket = tokio_tungstenite::accept_hdr_async(stream, remember).await.unwrap();
        Self { socket, uri, headers }
    }

    /// The next message of the client.
    pub(crate) async fn message(&mut self) -> Value {
        match self.socket.next().await {
            Some(Ok(Message::Text(text))) => serde_json::from_str(&text).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    /// Reads `subscribe` and confirms it.
    pub(crate) async fn subscribed(&mut self) -> Value {
        self.subscribed_with(json!({})).await
    }

    /// Reads `subscribe` and confirms it with more fields.
    pub(crate) async fn subscribed_with(&mut self, more: Value) -> Value {
        let subscribe = self.message().await;
        self.confirm(&subscribe, more).await;
        subscribe
    }

    /// Confirms a message with more fields.
    pub(crate) async fn confirm(&mut self, subscribe: &Value, more: Value) {
        let mut answer = json!({ "type": "subscribed", "requestId": subscribe["requestId"] });
        answer.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
        self.send(&answer).await;
    }

    pub(crate) async fn send(&mut self, message: &Value) {
        self.send_frame(Message::text(message.to_string())).await;
    }

    pub(crate) async fn send_frame(&mut self, message: Message) {
        self.socket.send(message).await.unwrap();
    }

    /// Closes the connection, and waits until the client has closed it too.
    pub(crate) async fn close(mut self, code: u16, reason: &str) {
        let frame = CloseFrame { code: code.into(), reason: reason.to_owned().into() };
        self.socket.close(Some(frame)).await.unwrap();
        while let Some(Ok(_)) = self.socket.next().await {}
    }

    /// Waits for the end of the connection. Returns whether the client sent a close frame.
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

/// An event of the tenant `demo` at this position.
pub(crate) fn event_at(id: &str, position: &str, is_replayed: bool) -> Value {
    let mut event = event(id);
    event["position"] = json!(position);
    if is_replayed {
        event["replayed"] = json!(true);
    }
    event
}

/// An event of the tenant `demo`.
pub(crate) fn event(id: &str) -> Value {
    json!({ "type": "entityUpdated", "id": id, "tenant": "demo", "servicePath": "/", "entityId": "urn:1",
        "entityType": "Room", "data": { "co2": 1 }, "timestamp": "2026-01-02T03:04:05Z" })
}

/// An entity of the tenant `demo` as it is, with this version.
pub(crate) fn snapshot(entity: &str, version: u64) -> Value {
    let mut message = event(&format!("snapshot-{version}-{entity}"));
    (message["type"], message["entityId"], message["version"]) =
        (json!("entitySnapshot"), json!(entity), json!(version));
    message
}
