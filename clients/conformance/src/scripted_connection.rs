//! The server's state of one connection.

use std::collections::VecDeque;

use serde_json::{Map, Value};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use crate::event_frames::EventAddress;
use crate::scripted_answer::names;

/// An order to the task of a connection.
#[derive(Debug)]
pub(crate) enum ConnectionOrder {
    Send(String),
    Close { code: u16, reason: String },
    Drop,
    Silence,
}

/// An order, and the place for its result: whether it was carried out.
pub(crate) type PlacedOrder = (ConnectionOrder, oneshot::Sender<bool>);

/// A message of the client that no step has read yet.
#[derive(Debug)]
pub(crate) struct UnreadMessage {
    pub(crate) fields: Map<String, Value>,
    pub(crate) arrived: Instant,
    /// The time at which the client's token came, when this message arrived.
    pub(crate) token_came: Option<Instant>,
}

/// One connection, from its handshake on.
#[derive(Debug)]
pub(crate) struct ScriptedConnection {
    pub(crate) query: Vec<(String, String)>,
    pub(crate) orders: mpsc::UnboundedSender<PlacedOrder>,
    pub(crate) unread: VecDeque<UnreadMessage>,
    /// The message that was read last.
    pub(crate) last: Map<String, Value>,
    pub(crate) last_read: Instant,
    /// The names of the subscriptions that were answered.
    pub(crate) answered: Vec<String>,
    /// The name of the subscription that was removed last. Events of it may be under way.
    removed: Option<String>,
    /// The answers to the next `sync` and `ping` messages.
    pub(crate) next_syncs: VecDeque<Map<String, Value>>,
    /// The number of `ping` and `sync` messages that were answered.
    pub(crate) signs: usize,
    pub(crate) has_ended: bool,
}

impl ScriptedConnection {
    pub(crate) fn new(query: Vec<(String, String)>, orders: mpsc::UnboundedSender<PlacedOrder>) -> Self {
        let mut connection = Self {
            query,
            orders,
            unread: VecDeque::new(),
            last: Map::new(),
            last_read: Instant::now(),
            answered: Vec::new(),
            removed: None,
            next_syncs: VecDeque::new(),
            signs: 0,
            has_ended: false,
        };
        if connection.parameter("subscribe") != Some("none") {
            connection.answered.push(String::new());
        }
        connection
    }

    /// A parameter of the URL.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    /// The subscriptions that an event can be for.
    pub(crate) fn address(&self) -> EventAddress {
        let last = names(&self.last);
        let present = match (self.answered.as_slice(), &self.removed) {
            ([], None) => last.clone(),
            ([], Some(removed)) => vec![removed.clone()],
            (answered, _) => answered.to_vec(),
        };
        EventAddress { tenant: self.parameter("tenant").unwrap_or("demo").to_lowercase(), present, last }
    }

    /// Takes note of an answer to this message.
    pub(crate) fn answered(&mut self, answer: &Map<String, Value>, message: &Map<String, Value>) {
        match answer.get("type").and_then(Value::as_str) {
            Some("subscribed") => {
                for name in names(message) {
                    if !self.answered.contains(&name) {
                        self.answered.push(name);
                    }
                }
            }
            Some("unsubscribed") => {
                let name = message.get("subscription").and_then(Value::as_str).unwrap_or_default();
                self.answered.retain(|other| other != name);
                self.removed = Some(name.to_owned());
            }
            _ => {}
        }
    }
}
