//! The server's state, shared between its steps and its connections.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::handshake_plan::HandshakePlan;
use crate::scripted_connection::ScriptedConnection;

/// The server's state.
#[derive(Debug, Default)]
pub(crate) struct ServerState {
    pub(crate) connections: Vec<ScriptedConnection>,
    /// The answers to the next handshakes.
    pub(crate) plans: VecDeque<HandshakePlan>,
    /// The number of handshakes that were begun.
    pub(crate) attempts: usize,
    /// The TCP connections whose handshake is never answered.
    pub(crate) stalled: Vec<TcpStream>,
    /// Each token that came, once.
    pub(crate) tokens: Vec<String>,
    /// The time at which the last new token came.
    pub(crate) token_came: Option<Instant>,
    /// The greatest position that was sent.
    pub(crate) position: Option<String>,
    /// The last session that was sent.
    pub(crate) session: Option<String>,
    /// True if the server answers everything by itself.
    pub(crate) serves_rest: bool,
}

impl ServerState {
    /// A token came, in a handshake or a message.
    pub(crate) fn see_token(&mut self, token: &str) {
        if !self.tokens.iter().any(|known| known == token) {
            self.tokens.push(token.to_owned());
            self.token_came = Some(Instant::now());
        }
    }

    /// A frame is about to be sent.
    pub(crate) fn see_frame(&mut self, frame: &Value) {
        let position = frame.get("position").and_then(Value::as_str).map(str::to_owned);
        self.position = self.position.take().max(position);
        if let Some(session) = frame.get("session").and_then(Value::as_str) {
            self.session = Some(session.to_owned());
        }
        for entry in frame.get("events").and_then(Value::as_array).into_iter().flatten() {
            self.see_frame(entry);
        }
    }
}

/// The state, and a sign for each of its changes.
#[derive(Debug)]
pub(crate) struct SharedState {
    state: Mutex<ServerState>,
    changes: watch::Sender<u64>,
}

impl SharedState {
    pub(crate) fn new() -> Self {
        Self { state: Mutex::default(), changes: watch::Sender::new(0) }
    }

    /// Changes the state, and wakes all waiting tasks.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut ServerState) -> T) -> T {
        let result = change(&mut self.lock());
        self.changes.send_modify(|changes| *changes += 1);
        result
    }

    /// Looks at the state after each of its changes until there is a result.
    pub(crate) async fn until<T>(&self, mut look: impl FnMut(&mut ServerState) -> Option<T>) -> T {
        let mut changes = self.changes.subscribe();
        loop {
            if let Some(result) = look(&mut self.lock()) {
                return result;
            }
            if changes.changed().await.is_err() {
                // The sender is part of this state.
                std::future::pending::<()>().await;
            }
        }
    }

    /// The state. A step that panicked has changed it wholly or not at all.
    pub(crate) fn lock(&self) -> MutexGuard<'_, ServerState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
