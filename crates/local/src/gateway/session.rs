//! One open connection, from the handshake to `$disconnect`.

use std::sync::Arc;
use std::time::Duration;

use entity_stream_protocol::limits::MESSAGE_BYTES;
use futures_util::{SinkExt, StreamExt};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::protocol::frame::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::{Message, Role};
use tokio_tungstenite::tungstenite::{Error, Utf8Bytes};

use super::connections::{LastActive, Outgoing};
use super::frames::{text_frames, websocket_config};
use super::integration::ProxyResult;
use super::proxy_event::EventSource;
use super::routes::{Route, select};
use crate::functions::Function;
use crate::state::State;

/// Most messages of one connection that are handled at the same time; then the client waits.
const CONCURRENT_MESSAGES: usize = 32;
/// How long a client may take to accept a frame before it counts as lost, and to answer a close frame.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// A connection that has been accepted.
pub(crate) struct Session {
    pub(crate) source: EventSource,
    pub(crate) outbox: mpsc::Sender<Outgoing>,
    pub(crate) inbox: mpsc::Receiver<Outgoing>,
    pub(crate) last_active: LastActive,
}

/// How a connection ended, as `$disconnect` is told: the code, and a reason.
struct End {
    code: u16,
    reason: String,
    /// Whether the client still has to be told.
    tell: bool,
}

/// Serves a connection to its end, and then tells `$disconnect`.
pub(crate) async fn run(state: Arc<State>, mut session: Session, upgrade: OnUpgrade) {
    let end = match upgrade.await {
        Ok(upgraded) => {
            let io = TokioIo::new(upgraded);
            let mut socket = WebSocketStream::from_raw_socket(io, Role::Server, Some(websocket_config())).await;
            let end = serve(&state, &mut session, &mut socket).await;
            state.connections.remove(&session.source.connection_id);
            if end.tell {
                say_goodbye(socket, end.code, &end.reason).await;
            }
            end
        }
        // The client left while its handshake was being answered.
        Err(_) => lost(),
    };
    let connection_id = &session.source.connection_id;
    state.connections.remove(connection_id);
    tracing::debug!(%connection_id, code = end.code, reason = end.reason, "connection ended");
    let event = session.source.disconnect(state.config.clock.now(), end.code, &end.reason);
    let limit = state.config.times.integration_timeout;
    if let Err(error) = state.functions.invoke(Function::Disconnect, event.payload, limit).await {
        tracing::error!(%connection_id, %error, "$disconnect failed");
    }
}

async fn serve(state: &Arc<State>, session: &mut Session, socket: &mut Socket) -> End {
    let times = &state.config.times;
    let concurrent = if state.config.serial_messages { 1 } else { CONCURRENT_MESSAGES };
    let oldest = Instant::now() + times.max_duration;
    let mut idle = Instant::now() + times.idle_timeout;
    let mut handling = JoinSet::new();
    loop {
        tokio::select! {
            () = sleep_until(oldest) => return going_away(),
            () = sleep_until(idle) => return going_away(),
            Some(_) = handling.join_next() => {}
            outgoing = session.inbox.recv() => match outgoing {
                Some(Outgoing::Text(text)) => {
                    for frame in text_frames(text) {
                        if !matches!(timeout(WRITE_TIMEOUT, socket.send(frame)).await, Ok(Ok(()))) {
                            return lost();
                        }
                    }
                    idle = Instant::now() + times.idle_timeout;
                }
                Some(Outgoing::Close { code, reason }) => {
                    return End { code, reason: reason.to_owned(), tell: true };
                }
                None => return going_away(),
            },
            incoming = socket.next(), if handling.len() < concurrent => match incoming {
                Some(Ok(Message::Text(body))) => {
                    idle = Instant::now() + times.idle_timeout;
                    session.last_active.touch(state.config.clock.now());
                    handling.spawn(handle_message(
                        Arc::clone(state),
                        session.source.clone(),
                        session.outbox.clone(),
                        body,
                    ));
                }
                Some(Ok(Message::Binary(_))) => return refused(1003, "binary frames are not supported"),
                Some(Ok(Message::Close(frame))) => return closed_by_client(socket, frame).await,
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
                Some(Err(error)) => return broken(&error),
                None => return lost(),
            },
        }
    }
}

async fn handle_message(state: Arc<State>, source: EventSource, outbox: mpsc::Sender<Outgoing>, body: Utf8Bytes) {
    let answer = match select(&body, state.config.in_band()) {
        Route::Ping(pong) => Some(pong),
        Route::Default => {
            let event = source.message(state.config.clock.now(), &body);
            let limit = state.config.times.integration_timeout;
            let result = state.functions.invoke(Function::Default, event.payload, limit).await;
            let failure = match &result {
                Ok(result) => ProxyResult::parse(result).is_none().then(|| "a malformed result".to_owned()),
                Err(error) => Some(error.to_string()),
            };
            failure.map(|failure| {
                tracing::error!(connection_id = %source.connection_id, failure, "$default failed");
                // Spaced exactly as API Gateway spaces it.
                format!(
                    r#"{{"message": "Internal server error", "connectionId":"{}", "requestId":"{}"}}"#,
                    source.connection_id, event.request_id
                )
            })
        }
    };
    if let Some(answer) = answer {
        // A closed outbox is a connection that has ended.
        let _ = outbox.send(Outgoing::Text(answer.into())).await;
    }
}

/// Sends a close frame and waits for the client's, so that the client reads the code before the connection breaks.
pub(crate) async fn say_goodbye(mut socket: Socket, code: u16, reason: &str) {
    let mut end = reason.len().min(123);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    let frame = CloseFrame { code: code.into(), reason: reason[..end].into() };
    let farewell = async {
        if socket.close(Some(frame)).await.is_ok() {
            while let Some(Ok(_)) = socket.next().await {}
        }
    };
    let _ = timeout(CLOSE_TIMEOUT, farewell).await;
}

/// The code and the reason are the client's own.
async fn closed_by_client(socket: &mut Socket, frame: Option<CloseFrame>) -> End {
    // The answer to a close frame leaves with the next read.
    let _ = timeout(CLOSE_TIMEOUT, async { while let Some(Ok(_)) = socket.next().await {} }).await;
    match frame {
        Some(frame) => End { code: frame.code.into(), reason: frame.reason.to_string(), tell: false },
        None => End { code: 1005, reason: "Client-side close frame status not set".to_owned(), tell: false },
    }
}

fn broken(error: &Error) -> End {
    match error {
        Error::Capacity(_) => {
            refused(1009, &format!("a frame has at most 32 KB, a message {} KB", MESSAGE_BYTES / 1024))
        }
        Error::Utf8(_) => refused(1007, "a text message is UTF-8"),
        // The client has gone without a close frame: what it did wrong is not for it to hear.
        Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => lost(),
        Error::Protocol(_) => refused(1002, "protocol error"),
        _ => lost(),
    }
}

fn refused(code: u16, reason: &str) -> End {
    End { code, reason: reason.to_owned(), tell: true }
}

fn going_away() -> End {
    refused(1001, "Going away")
}

/// Source of the code: RFC 6455, section 7.1.5. API Gateway's reason is not known.
fn lost() -> End {
    End { code: 1006, reason: String::new(), tell: false }
}
