use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use entity_stream_protocol::{ConnectionId, EpochMillis};
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Utf8Bytes;

/// Most messages that wait for one slow client; then `@connections` answers 429, as API Gateway does.
const BUFFER: usize = 512;

/// The open connections: those whose `$connect` has returned and which have not ended.
#[derive(Debug, Default)]
pub(crate) struct Connections(Mutex<Open>);

#[derive(Debug, Default)]
struct Open {
    connections: HashMap<ConnectionId, Connection>,
    /// Whether the system is stopping: what opens now closes at once.
    closing: bool,
}

const GOING_AWAY: Outgoing = Outgoing::Close { code: 1001, reason: "Going away" };

/// What the `@connections` API knows of a connection.
#[derive(Clone, Debug)]
pub(crate) struct Connection {
    pub(crate) outbox: mpsc::Sender<Outgoing>,
    pub(crate) connected_at: EpochMillis,
    pub(crate) last_active: LastActive,
    pub(crate) source_ip: String,
    pub(crate) user_agent: Option<String>,
}

/// What a connection's task is asked to do.
#[derive(Clone, Debug)]
pub(crate) enum Outgoing {
    Text(Utf8Bytes),
    Close { code: u16, reason: &'static str },
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
    /// Where messages wait for a connection that is about to open.
    pub(crate) fn outbox() -> (mpsc::Sender<Outgoing>, mpsc::Receiver<Outgoing>) {
        mpsc::channel(BUFFER)
    }

    pub(crate) fn insert(&self, id: ConnectionId, connection: Connection) {
        let mut open = self.lock();
        if open.closing {
            let _ = connection.outbox.try_send(GOING_AWAY);
        }
        open.connections.insert(id, connection);
    }

    pub(crate) fn get(&self, id: &str) -> Option<Connection> {
        let id = ConnectionId::parse(id).ok()?;
        self.lock().connections.get(&id).cloned()
    }

    pub(crate) fn count(&self) -> usize {
        self.lock().connections.len()
    }

    /// How many there are, and the newest of them, the newest first.
    pub(crate) fn newest(&self, most: usize) -> (usize, Vec<(ConnectionId, Connection)>) {
        let open = self.lock();
        let mut newest: Vec<_> = open.connections.iter().collect();
        newest.sort_unstable_by_key(|(id, connection)| (Reverse(connection.connected_at.millis()), *id));
        newest.truncate(most);
        (open.connections.len(), newest.into_iter().map(|(id, connection)| (id.clone(), connection.clone())).collect())
    }

    pub(crate) fn remove(&self, id: &ConnectionId) {
        self.lock().connections.remove(id);
    }

    /// Asks every connection, now and from now on, to close with 1001.
    pub(crate) fn close_all(&self) {
        let mut open = self.lock();
        open.closing = true;
        for connection in open.connections.values() {
            // A full outbox belongs to a client that does not read: its task ends with the process.
            let _ = connection.outbox.try_send(GOING_AWAY);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
