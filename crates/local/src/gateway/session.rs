//! One open connection, from the handshake to `$disconnect`.

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use entity_stream_protocol::{Close, GatewayError};
use futures_util::{SinkExt, StreamExt};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::protocol::frame::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::{Message, Role};
use tokio_tungstenite::tungstenite::{Error, Utf8Bytes};

use super::connections::LastActive;
use super::farewell::{ServerSocket, answer_goodbye, say_goodbye};
use super::frames::{text_frames, websocket_config};
use super::integration::ProxyResult;
use super::outbox::{Outbox, OutgoingMessage};
use super::proxy_event::EventSource;
use super::routes::{Route, RouteSelection};
use crate::functions::Function;
use crate::state::SystemState;

/// Maximum number of messages of one connection that are handled at the same time. After that, the client waits.
const CONCURRENT_MESSAGES: usize = 32;
/// The time that a client has to accept the messages on their way before it is closed.
const REST_TIMEOUT: Duration = Duration::from_secs(1);

/// A connection that has been accepted.
pub(crate) struct SocketSession {
    pub(crate) source: EventSource,
    pub(crate) outbox: Outbox,
    pub(crate) inbox: mpsc::Receiver<OutgoingMessage>,
    pub(crate) order: oneshot::Receiver<Close>,
    pub(crate) last_active: LastActive,
}

/// The end of a connection, as `$disconnect` receives it.
struct ConnectionEnd {
    close: Close,
    /// True if the client still has to receive a close frame.
    tell: bool,
}

/// The next event of a connection.
enum Next {
    Outgoing(OutgoingMessage),
    /// A message from the client, and the permit to handle it.
    Incoming(Option<OwnedSemaphorePermit>, Option<Result<Message, Error>>),
    TimeOver,
}

/// Serves a connection to its end, and then tells `$disconnect`.
pub(crate) async fn run(state: Arc<SystemState>, mut session: SocketSession, upgrade: OnUpgrade) {
    let end = match upgrade.await {
        Ok(upgraded) => {
            let io = TokioIo::new(upgraded);
            let mut socket = WebSocketStream::from_raw_socket(io, Role::Server, Some(websocket_config())).await;
            let end = serve(&state, &mut session, &mut socket).await;
            state.connections.remove(&session.source.connection_id);
            // Messages that wait for room in the queue need not wait any longer.
            session.inbox.close();
            if end.tell {
                say_goodbye(socket, &end.close).await;
            }
            end
        }
        // The client left while its handshake was being answered.
        Err(_) => lost(),
    };
    let connection_id = &session.source.connection_id;
    state.connections.remove(connection_id);
    let close = &end.close;
    tracing::debug!(%connection_id, code = u16::from(close.code()), reason = close.reason(), "connection ended");
    let event = session.source.disconnect(state.config.clock.now(), close);
    let limit = state.config.times.integration_timeout;
    if let Err(error) = state.functions.invoke(Function::Disconnect, event.payload, limit).await {
        tracing::error!(%connection_id, %error, "$disconnect failed");
    }
}

async fn serve(state: &Arc<SystemState>, session: &mut SocketSession, socket: &mut ServerSocket) -> ConnectionEnd {
    let SocketSession { source, outbox, inbox, order, last_active } = session;
    let times = &state.config.times;
    let places = Arc::new(Semaphore::new(if state.config.serial_messages { 1 } else { CONCURRENT_MESSAGES }));
    let oldest = Instant::now() + times.max_duration;
    let mut idle = Instant::now() + times.idle_timeout;
    let write_timeout = state.config.sockets.write_timeout;
    loop {
        let next = async {
            tokio::select! {
                () = sleep_until(oldest.min(idle)) => Next::TimeOver,
                Some(message) = inbox.recv() => Next::Outgoing(message),
                (place, message) = receive(&places, socket) => Next::Incoming(place, message),
            }
        };
        let next = tokio::select! {
            biased;
            close = &mut *order => {
                send_rest(inbox, socket, write_timeout).await;
                return ordered(close);
            }
            next = next => next,
        };
        match next {
            Next::TimeOver => return told(Close::GOING_AWAY),
            Next::Outgoing(message) => {
                let sent = tokio::select! {
                    biased;
                    sent = send(message, socket, write_timeout) => sent,
                    // The client does not keep up: there is no use in sending it the rest.
                    close = &mut *order => return ordered(close),
                };
                if let Err(error) = sent {
                    if is_slow(&error) {
                        let (connection_id, waiting_bytes) = (&source.connection_id, outbox.waiting());
                        tracing::warn!(%connection_id, waiting_bytes, "closed a slow consumer: it does not read its messages");
                    }
                    return lost();
                }
                idle = Instant::now() + times.idle_timeout;
            }
            Next::Incoming(place, message) => match message {
                Some(Ok(Message::Text(body))) => {
                    idle = Instant::now() + times.idle_timeout;
                    last_active.touch(state.config.clock.now());
                    let handling = handle_message(Arc::clone(state), source.clone(), outbox.clone(), body);
                    // In a task that outlives the connection: Lambda ends no invocation because a client has left.
                    state.sessions.spawn(async move {
                        handling.await;
                        drop(place);
                    });
                }
                Some(Ok(Message::Binary(_))) => return told(Close::BINARY_FRAME),
                Some(Ok(Message::Close(frame))) => {
                    answer_goodbye(socket).await;
                    return closed_by_client(frame);
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
                Some(Err(error)) => return broken(&error),
                None => return lost(),
            },
        }
    }
}

/// The client's next message, once there is a place for handling it.
async fn receive(
    places: &Arc<Semaphore>,
    socket: &mut ServerSocket,
) -> (Option<OwnedSemaphorePermit>, Option<Result<Message, Error>>) {
    // It fails only when it is closed, which it never is.
    let place = Arc::clone(places).acquire_owned().await.ok();
    (place, socket.next().await)
}

/// Sends a message. The client has to accept each frame in time.
async fn send(message: OutgoingMessage, socket: &mut ServerSocket, limit: Duration) -> Result<(), Error> {
    for frame in text_frames(message.text.clone()) {
        timeout(limit, socket.send(frame)).await.unwrap_or_else(|_| Err(Error::Io(ErrorKind::TimedOut.into())))?;
    }
    Ok(())
}

/// True if a client did not accept its bytes in time.
fn is_slow(error: &Error) -> bool {
    matches!(error, Error::Io(error) if error.kind() == ErrorKind::TimedOut)
}

/// Sends the messages accepted before the order to close, such as the answer with the reason, if the client reads them.
async fn send_rest(inbox: &mut mpsc::Receiver<OutgoingMessage>, socket: &mut ServerSocket, limit: Duration) {
    inbox.close();
    let rest = async {
        while let Some(message) = inbox.recv().await {
            if send(message, socket, limit).await.is_err() {
                break;
            }
        }
    };
    let _ = timeout(REST_TIMEOUT, rest).await;
}

async fn handle_message(state: Arc<SystemState>, source: EventSource, outbox: Outbox, body: Utf8Bytes) {
    let selection = RouteSelection { in_band: state.config.in_band(), lenient: state.config.lenient_routing };
    let answer = match selection.route(&body) {
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
                let error = GatewayError {
                    message: GatewayError::INTERNAL.to_owned(),
                    connection_id: source.connection_id.to_string(),
                    request_id: event.request_id,
                };
                error.to_json()
            })
        }
    };
    if let Some(answer) = answer {
        outbox.send(answer.into()).await;
    }
}

/// The code and the reason are the client's own.
fn closed_by_client(frame: Option<CloseFrame>) -> ConnectionEnd {
    let close = match frame {
        Some(frame) => Close::new(u16::from(frame.code).into(), frame.reason.as_str()),
        None => Close::NO_STATUS,
    };
    ConnectionEnd { close, tell: false }
}

fn broken(error: &Error) -> ConnectionEnd {
    match error {
        Error::Capacity(_) => told(Close::TOO_LARGE),
        Error::Utf8(_) => told(Close::NOT_UTF8),
        // The client went away without a close frame, and cannot receive one.
        Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => lost(),
        Error::Protocol(_) => told(Close::PROTOCOL_ERROR),
        _ => lost(),
    }
}

/// The ordered end. If the sender of orders is gone, the system is stopping.
fn ordered(close: Result<Close, oneshot::error::RecvError>) -> ConnectionEnd {
    told(close.unwrap_or(Close::GOING_AWAY))
}

/// An end that the client still has to hear of.
fn told(close: Close) -> ConnectionEnd {
    ConnectionEnd { close, tell: true }
}

fn lost() -> ConnectionEnd {
    ConnectionEnd { close: Close::LOST, tell: false }
}
