use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use entity_stream_protocol::{Close, ConnectionId, EpochMillis};
use tokio::sync::oneshot;

use super::outbox::Outbox;

/// The open connections: those whose `$connect` has returned and which have not ended.
#[derive(Debug, Default)]
pub(crate) struct Connections(Mutex<Open>);

#[derive(Debug, Default)]
struct Open {
    connections: HashMap<ConnectionId, OpenSlot>,
    /// True while the system stops: a connection that opens now closes at once.
    closing: bool,
}

#[derive(Debug)]
struct OpenSlot {
    connection: OpenConnection,
    /// Carries the order to close. It is separate from the messages, so that a client that does not read them can be
    /// closed too. The first order takes it.
    close: Option<oneshot::Sender<Close>>,
}

impl OpenSlot {
    fn close(&mut self, order: Close) {
        if let Some(close) = self.close.take() {
            // The receiver is gone if the connection is just ending by itself.
            let _ = close.send(order);
        }
    }
}

/// The facts of a connection that the `@connections` API needs.
#[derive(Clone, Debug)]
pub(crate) struct OpenConnection {
    pub(crate) outbox: Outbox,
    pub(crate) connected_at: EpochMillis,
    pub(crate) last_active: LastActive,
    pub(crate) source_ip: String,
    pub(crate) user_agent: Option<String>,
}

/// When a connection last carried a message, either way.
#[derive(Clone, Debug)]
pub(crate) struct LastActive(Arc<AtomicU64>);

impl LastActive {
    pub(crate) fn new(now: EpochMillis) -> Self {
        Self(Arc::new(AtomicU64::new(now.millis())))
    }

    pub(crate) fn touch(&self, now: EpochMillis) {
        self.0.fetch_max(now.millis(), Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Connections {
    /// Opens a connection. The returned receiver gets the order to close it.
    pub(crate) fn insert(&self, id: ConnectionId, connection: OpenConnection) -> oneshot::Receiver<Close> {
        let (close, order) = oneshot::channel();
        let mut entry = OpenSlot { connection, close: Some(close) };
        let mut open = self.lock();
        if open.closing {
            entry.close(Close::GOING_AWAY);
        }
        open.connections.insert(id, entry);
        order
    }

    pub(crate) fn get(&self, id: &str) -> Option<OpenConnection> {
        let id = ConnectionId::parse(id).ok()?;
        self.lock().connections.get(&id).map(|entry| entry.connection.clone())
    }

    pub(crate) fn count(&self) -> usize {
        self.lock().connections.len()
    }

    /// The number of connections, and the newest of them, newest first.
    pub(crate) fn newest(&self, most: usize) -> (usize, Vec<(ConnectionId, OpenConnection)>) {
        let open = self.lock();
        let mut newest: Vec<_> = open.connections.iter().collect();
        newest.sort_unstable_by_key(|(id, entry)| (Reverse(entry.connection.connected_at.millis()), *id));
        newest.truncate(most);
        let newest = newest.into_iter().map(|(id, entry)| (id.clone(), entry.connection.clone()));
        (open.connections.len(), newest.collect())
    }

    pub(crate) fn remove(&self, id: &ConnectionId) {
        self.lock().connections.remove(id);
    }

    /// Closes a connection: from now on it is none of the open ones, whenever its client takes notice. Says whether it was.
    pub(crate) fn close(&self, id: &str, order: Close) -> bool {
        let Ok(id) = ConnectionId::parse(id) else { return false };
        let entry = self.lock().connections.remove(&id);
        entry.map(|mut entry| entry.close(order)).is_some()
    }

    /// Asks every connection, now and from now on, to close with 1001.
    pub(crate) fn close_all(&self) {
        let mut open = self.lock();
        open.closing = true;
        for entry in open.connections.values_mut() {
            entry.close(Close::GOING_AWAY);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
