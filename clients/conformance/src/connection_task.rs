//! The task of one connection: its handshake, its messages and the orders of the scenario.

use std::sync::Arc;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Map, Value};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::{HeaderMap, HeaderValue, StatusCode, header};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

use crate::handshake_plan::HandshakePlan;
use crate::scripted_answer::{accepting, completed, sign_of_life};
use crate::scripted_connection::{ConnectionOrder, PlacedOrder, ScriptedConnection, UnreadMessage};
use crate::server_state::{ServerState, SharedState};

/// Serves one TCP connection until its end.
pub(crate) async fn serve(stream: TcpStream, shared: Arc<SharedState>) {
    let plan = shared.change(|state| {
        state.attempts += 1;
        state.plans.pop_front()
    });
    if plan == Some(HandshakePlan::Stall) {
        return shared.change(|state| state.stalled.push(stream));
    }
    // Messages are small, and each waits for an answer. A connection without this option only answers later.
    let _ = stream.set_nodelay(true);
    let mut query = Vec::new();
    #[expect(clippy::result_large_err, reason = "the library chooses the type")]
    let answer = |request: &Request, mut response: Response| {
        let pairs = form_urlencoded::parse(request.uri().query().unwrap_or_default().as_bytes());
        query = pairs.into_owned().collect();
        let protocols = protocols(request.headers());
        if let Some(token) = token(request.headers(), &protocols, &query) {
            shared.change(|state| state.see_token(&token));
        }
        match plan {
            Some(HandshakePlan::Refuse(status)) => {
                let mut refusal = ErrorResponse::new(Some(r#"{"message":"the scenario says so"}"#.to_owned()));
                *refusal.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                Err(refusal)
            }
            Some(HandshakePlan::CloseWith(_) | HandshakePlan::Stall) | None => {
                if let Some(first) = protocols.first().and_then(|first| HeaderValue::from_str(first).ok()) {
                    response.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, first);
                }
                Ok(response)
            }
        }
    };
    let Ok(socket) = tokio_tungstenite::accept_hdr_async(stream, answer).await else { return };
    let (sender, orders) = mpsc::unbounded_channel();
    let number = shared.change(|state| {
        state.connections.push(ScriptedConnection::new(query, sender));
        state.connections.len() - 1
    });
    let mut task = ConnectionTask { socket, number, shared: Arc::clone(&shared), is_silent: false };
    if let Some(HandshakePlan::CloseWith(code)) = plan {
        task.close(code, String::new()).await;
    }
    task.run(orders).await;
    shared.change(|state| {
        if let Some(connection) = state.connections.get_mut(number) {
            connection.has_ended = true;
        }
    });
}

/// The sub-protocols that the client offers.
fn protocols(headers: &HeaderMap) -> Vec<String> {
    let values = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(|protocol| protocol.trim().to_owned()).collect()
}

/// The token of a handshake, from the places of the contract.
fn token(headers: &HeaderMap, protocols: &[String], query: &[(String, String)]) -> Option<String> {
    let header = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let bearer = header.and_then(|value| value.strip_prefix("Bearer ")).map(str::to_owned);
    let protocol = match protocols {
        [first, token, ..] if first == "access_token" => Some(token.clone()),
        _ => None,
    };
    let parameter = query.iter().find(|(name, _)| name == "token").map(|(_, value)| value.clone());
    bearer.or(protocol).or(parameter)
}

struct ConnectionTask {
    socket: WebSocketStream<TcpStream>,
    number: usize,
    shared: Arc<SharedState>,
    is_silent: bool,
}

impl ConnectionTask {
    /// Serves the connection until either end has closed it.
    async fn run(&mut self, mut orders: mpsc::UnboundedReceiver<PlacedOrder>) {
        loop {
            tokio::select! {
                order = orders.recv() => {
                    let Some((order, result)) = order else { return };
                    let is_drop = matches!(order, ConnectionOrder::Drop);
                    let is_done = self.obey(order).await;
                    // A step that was given up waits for no result.
                    let _ = result.send(is_done);
                    if is_drop {
                        return;
                    }
                }
                message = self.socket.next(), if !self.is_silent => match message {
                    Some(Ok(Message::Text(text))) => self.take(text.as_str()).await,
                    Some(Ok(_)) => {}
                    Some(Err(_)) | None => return,
                },
            }
        }
    }

    /// Returns whether the order was carried out.
    async fn obey(&mut self, order: ConnectionOrder) -> bool {
        match order {
            ConnectionOrder::Send(text) => self.socket.send(Message::text(text)).await.is_ok(),
            ConnectionOrder::Close { code, reason } => self.close(code, reason).await,
            // The client gets the earlier messages, and then the end of the TCP stream.
            ConnectionOrder::Drop => self.socket.get_mut().shutdown().await.is_ok(),
            ConnectionOrder::Silence => {
                self.is_silent = true;
                true
            }
        }
    }

    async fn close(&mut self, code: u16, reason: String) -> bool {
        self.socket.close(Some(CloseFrame { code: code.into(), reason: reason.into() })).await.is_ok()
    }

    /// Takes a message: answers it, if the scenario does not have to, or leaves it to the next step that reads.
    async fn take(&mut self, text: &str) {
        let fields = match serde_json::from_str(text) {
            Ok(Value::Object(fields)) => fields,
            _ => Map::from_iter([("notAnObject".to_owned(), text.into())]),
        };
        let (number, shared) = (self.number, Arc::clone(&self.shared));
        let answer = shared.change(|state| {
            let before = state.token_came;
            if let Some(token) = fields.get("token").and_then(Value::as_str) {
                state.see_token(token);
            }
            own_answer(state, number, &fields).or_else(|| {
                let connection = state.connections.get_mut(number)?;
                connection.unread.push_back(UnreadMessage { fields, arrived: Instant::now(), token_came: before });
                None
            })
        });
        if let Some(answer) = answer {
            // A connection that has ended is noticed by reading.
            let _ = self.socket.send(Message::text(Value::Object(answer).to_string())).await;
        }
    }
}

/// The answer that the server gives by itself: to signs of life, and to everything if it serves the rest.
fn own_answer(state: &mut ServerState, number: usize, fields: &Map<String, Value>) -> Option<Map<String, Value>> {
    let position = state.position.clone();
    if let Some(sign) = sign_of_life(fields, position.as_deref()) {
        let connection = state.connections.get_mut(number)?;
        connection.signs += 1;
        let scripted = connection.next_syncs.pop_front();
        return Some(scripted.map_or(sign, |scripted| completed(&scripted, fields)));
    }
    if state.serves_rest { serve_rest(state, number, fields) } else { None }
}

/// The answer of a server that accepts everything.
pub(crate) fn serve_rest(
    state: &mut ServerState,
    number: usize,
    fields: &Map<String, Value>,
) -> Option<Map<String, Value>> {
    let (position, session) = (state.position.clone(), state.session.clone());
    let place = position.as_deref().zip(session.as_deref());
    let answer = completed(&accepting(fields, place)?, fields);
    state.connections.get_mut(number)?.answered(&answer, fields);
    Some(answer)
}
