use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::{HeaderMap, HeaderName, HeaderValue};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use super::{PATIENCE, System};

/// A WebSocket client.
pub(crate) struct Client {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    pub(crate) headers: HeaderMap,
}

/// A handshake with another answer than 101.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) body: String,
}

impl Client {
    pub(crate) async fn connect(url: &str, headers: &[(&'static str, &str)]) -> Result<Self, Refusal> {
        let mut request = url.into_client_request().expect("a valid URL");
        for (name, value) in headers {
            let value = HeaderValue::from_str(value).expect("a valid header");
            request.headers_mut().append(HeaderName::from_static(name), value);
        }
        match timeout(PATIENCE, connect_async(request)).await.expect("the handshake is answered") {
            Ok((socket, response)) => Ok(Self { socket, headers: response.headers().clone() }),
            Err(Error::Http(response)) => Err(Refusal {
                status: response.status().as_u16(),
                body: String::from_utf8_lossy(response.body().as_deref().unwrap_or_default()).into_owned(),
            }),
            Err(error) => panic!("no handshake: {error}"),
        }
    }

    pub(crate) async fn send_frame(&mut self, message: Message) {
        self.socket.send(message).await.expect("the connection is open");
    }

    pub(crate) async fn send(&mut self, text: impl Into<String>) {
        self.send_frame(Message::Text(text.into().into())).await;
    }

    /// Sends a request and returns its answer, which is the next frame.
    pub(crate) async fn ask(&mut self, message: &Value) -> Value {
        self.send(message.to_string()).await;
        self.json().await
    }

    /// Replaces the filter and waits until it is in force. Skips the replayed events of that moment.
    pub(crate) async fn subscribe(&mut self, filter: &Value) {
        let mut message = filter.clone();
        message["action"] = json!("subscribe");
        message["requestId"] = json!("s");
        let mut answer = self.ask(&message).await;
        while answer["replayed"] == true {
            answer = self.json().await;
        }
        assert_eq!((&answer["type"], &answer["requestId"]), (&json!("subscribed"), &json!("s")), "{answer}");
    }

    /// The next text frame.
    pub(crate) async fn text(&mut self) -> String {
        loop {
            match self.next().await {
                Message::Text(text) => return text.to_string(),
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("a text frame was expected, not {other:?}"),
            }
        }
    }

    pub(crate) async fn json(&mut self) -> Value {
        let text = self.text().await;
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// The entity id of the next frame, which has to be an event.
    pub(crate) async fn event_id(&mut self) -> String {
        let event = self.json().await;
        event["entityId"].as_str().unwrap_or_else(|| panic!("an event was expected, not {event}")).to_owned()
    }

    /// Checks that no frame is under way. All events so far have been delivered, and the next frame is the answer to a ping.
    pub(crate) async fn nothing_more(&mut self, system: &System) {
        system.local.settled().await;
        assert_eq!(self.ask(&json!({ "action": "ping" })).await, json!({ "type": "pong" }));
    }

    /// The close code and reason of the server. Skips frames that are still under way.
    pub(crate) async fn closed(&mut self) -> (u16, String) {
        loop {
            match self.next().await {
                Message::Close(Some(frame)) => return (frame.code.into(), frame.reason.to_string()),
                Message::Close(None) => return (1005, String::new()),
                _ => {}
            }
        }
    }

    /// The close code and reason of the server. No frame may come before them.
    pub(crate) async fn closed_at_once(&mut self) -> (u16, String) {
        match self.next().await {
            Message::Close(Some(frame)) => (frame.code.into(), frame.reason.to_string()),
            other => panic!("a close frame was expected, not {other:?}"),
        }
    }

    /// Closes the connection with a close frame.
    pub(crate) async fn close(mut self) {
        self.socket.close(None).await.expect("the connection is open");
        let _ = timeout(PATIENCE, async { while let Some(Ok(_)) = self.socket.next().await {} }).await;
    }

    pub(crate) async fn next(&mut self) -> Message {
        let message = timeout(PATIENCE, self.socket.next()).await.expect("a frame arrives");
        message.expect("the connection is open").expect("the connection is whole")
    }
}
