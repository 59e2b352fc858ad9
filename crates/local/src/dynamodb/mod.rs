//! The embedded DynamoDB, served over HTTP so that any AWS SDK or `aws dynamodb --endpoint-url` reaches it.
//!
//! The engine is the library `dynoxide`. Its own server would accept every host and every origin.

mod api;
mod operations;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use dynoxide::Database;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::AbortOnDropHandle;

use crate::data_file::DataFile;
use crate::door::Door;
use crate::error::StartError;
use crate::journal::Journal;
use crate::loopback;

/// The time that running requests have to end when the server stops.
const FAREWELL: Duration = Duration::from_secs(2);

/// The running table.
#[derive(Debug)]
pub(crate) struct DynamoDb {
    address: SocketAddr,
    /// Stops the port when it is dropped.
    stop: DropGuard,
    server: AbortOnDropHandle<()>,
    /// Released after the last write.
    data: Option<DataFile>,
}

impl DynamoDb {
    pub(crate) async fn start(address: SocketAddr, data: Option<&Path>, door: Arc<Door>) -> Result<Self, StartError> {
        let (address, listeners) = loopback::listen("the embedded DynamoDB", "--dynamodb-port", address).await?;
        let (data, database) = match data {
            Some(path) => DataFile::open(path).map(|(file, database)| (Some(file), database))?,
            None => (None, in_memory()?),
        };
        let stop = CancellationToken::new();
        let served = Arc::clone(&door);
        let handle = move |_, request| api::handle(Arc::clone(&served), database.clone(), request);
        let server = AbortOnDropHandle::new(tokio::spawn(door.serve(listeners, stop.clone(), handle)));
        Ok(Self { address, stop: stop.drop_guard(), server, data })
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", loopback::reachable(self.address))
    }

    /// Writes the number of undelivered events, if the tables are in a file.
    pub(crate) fn journal(&self) -> Option<Journal> {
        self.data.as_ref().map(DataFile::journal)
    }

    /// Stops serving. Kept-alive connections of the functions' clients are cut off: their last requests are done.
    pub(crate) async fn stop(self) {
        drop(self.stop);
        // Dropping the server aborts it if it takes longer.
        let _ = tokio::time::timeout(FAREWELL, self.server).await;
        if let Some(data) = self.data {
            data.close();
        }
    }
}

fn in_memory() -> Result<Database, StartError> {
    Database::memory().map_err(|error| StartError::Data { path: "(in memory)".into(), reason: error.to_string() })
}
