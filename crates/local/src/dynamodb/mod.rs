//! The embedded DynamoDB, served over HTTP so that any AWS SDK or `aws dynamodb --endpoint-url` reaches it.
//!
//! The engine is the library `dynoxide`. Its own server would accept every host and every origin.

mod api;
mod connector;
mod engine;
mod operations;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use dynoxide::Database;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::AbortOnDropHandle;

pub(crate) use self::connector::EngineConnector;
pub(crate) use self::engine::Engine;
use crate::data_file::DataFile;
use crate::door::Door;
use crate::error::StartError;
use crate::journal::Journal;
use crate::loopback;

/// The time that running requests have to end when the server stops.
const FAREWELL: Duration = Duration::from_secs(2);
/// The time between two looks for expired items.
const EXPIRY: Duration = Duration::from_secs(5 * 60);

/// The running table.
#[derive(Debug)]
pub(crate) struct DynamoDb {
    address: SocketAddr,
    door: Arc<Door>,
    engine: Arc<Engine>,
    /// Stops the port when it is dropped.
    stop: DropGuard,
    server: AbortOnDropHandle<()>,
    /// Released after the last write.
    data: Option<DataFile>,
    /// Deletes expired items.
    expiry: AbortOnDropHandle<()>,
}

impl DynamoDb {
    pub(crate) async fn start(address: SocketAddr, data: Option<&Path>, door: Arc<Door>) -> Result<Self, StartError> {
        let (address, listeners) = loopback::listen("the embedded DynamoDB", "--dynamodb-port", address).await?;
        let (data, database) = match data {
            Some(path) => DataFile::open(path).map(|(file, database)| (Some(file), database))?,
            None => (None, in_memory()?),
        };
        let stop = CancellationToken::new();
        let engine = Arc::new(Engine::new(database));
        let expiry = AbortOnDropHandle::new(tokio::spawn(delete_expired(Arc::clone(&engine))));
        let (served, serving) = (Arc::clone(&door), Arc::clone(&engine));
        let handle = move |_, request| api::handle(Arc::clone(&served), Arc::clone(&serving), request);
        let server = AbortOnDropHandle::new(tokio::spawn(Arc::clone(&door).serve(listeners, stop.clone(), handle)));
        Ok(Self { address, door, engine, stop: stop.drop_guard(), server, data, expiry })
    }

    /// The URL for this process, without the lookup of a name.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", loopback::reachable(self.address))
    }

    /// The URL for clients on this machine. Its host is that of the other ports.
    pub(crate) fn client_url(&self) -> String {
        format!("http://{}", loopback::host(self.address))
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// The engine, whose load the event bus watches.
    pub(crate) fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// The way of the functions in this process to the tables.
    pub(crate) fn connector(&self) -> EngineConnector {
        EngineConnector { door: Arc::clone(&self.door), engine: Arc::clone(&self.engine) }
    }

    /// Writes the number of undelivered events, if the tables are in a file.
    pub(crate) fn journal(&self) -> Option<Journal> {
        self.data.as_ref().map(DataFile::journal)
    }

    /// True if the last system on this data accepted events and did not deliver them.
    pub(crate) fn has_lost_events(&self) -> bool {
        self.data.as_ref().is_some_and(DataFile::has_lost_events)
    }

    /// Notes that the system uses the data, once it has acted on the losses of the last one.
    pub(crate) fn begin(&self) {
        if let Some(data) = &self.data {
            data.begin();
        }
    }

    /// Stops serving. Kept-alive connections of other programs are cut off.
    /// `is_complete` says that every accepted event was delivered.
    pub(crate) async fn stop(self, is_complete: bool) {
        drop(self.stop);
        // Dropping the server aborts it if it takes longer.
        let _ = tokio::time::timeout(FAREWELL, self.server).await;
        // A task that has not ended by now, such as a function, writes nothing after the data is released.
        drop(self.expiry);
        self.engine.close().await;
        if let Some(data) = self.data {
            data.close(is_complete);
        }
    }
}

/// Deletes expired items now and then, as DynamoDB does. Every read ignores them anyway.
async fn delete_expired(engine: Arc<Engine>) {
    loop {
        tokio::time::sleep(EXPIRY).await;
        let expiring = Arc::clone(&engine);
        match tokio::task::spawn_blocking(move || expiring.delete_expired()).await {
            Ok(Ok(items)) => tracing::debug!(items, "expired items are deleted"),
            Ok(Err(error)) => tracing::warn!(%error, "expired items cannot be deleted"),
            Err(error) => tracing::warn!(%error, "expired items cannot be deleted"),
        }
    }
}

fn in_memory() -> Result<Database, StartError> {
    Database::memory().map_err(|error| StartError::Data { path: "(in memory)".into(), reason: error.to_string() })
}
