use std::net::SocketAddr;
use std::path::Path;

use dynoxide::Database;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::StartError;

/// The embedded DynamoDB, served over HTTP so that any AWS SDK or `aws dynamodb --endpoint-url` reaches it.
#[derive(Debug)]
pub(crate) struct DynamoDb {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    server: JoinHandle<()>,
}

impl DynamoDb {
    pub(crate) async fn start(address: SocketAddr, data: Option<&Path>) -> Result<Self, StartError> {
        let failed =
            |source: std::io::Error| StartError::listen("the embedded DynamoDB", "--dynamodb-port", address, &source);
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let database = open(data)?;
        let (stop, stopped) = oneshot::channel();
        let server = tokio::spawn(async move {
            let shutdown = async {
                let _ = stopped.await;
            };
            if let Err(error) = dynoxide::server::serve_with_shutdown(listener, database, shutdown).await {
                tracing::error!(error, "the embedded DynamoDB ended");
            }
        });
        Ok(Self { address, stop, server })
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", crate::reachable(self.address))
    }

    /// Stops serving. Kept-alive connections of the functions' clients are cut off: their last requests are done.
    pub(crate) async fn stop(self) {
        let _ = self.stop.send(());
        let abort = self.server.abort_handle();
        if tokio::time::timeout(std::time::Duration::from_secs(2), self.server).await.is_err() {
            abort.abort();
        }
    }
}

fn open(data: Option<&Path>) -> Result<Database, StartError> {
    let Some(path) = data else {
        return Database::memory()
            .map_err(|error| StartError::Data { path: "(in memory)".into(), reason: error.to_string() });
    };
    let invalid = |reason: String| StartError::Data { path: path.to_owned(), reason };
    let name = path.to_str().ok_or_else(|| invalid("its name is not Unicode".to_owned()))?;
    // SQLite reports a missing folder or a read-only file as "unable to open database file": ask the system first.
    std::fs::OpenOptions::new().append(true).create(true).open(path).map_err(|error| invalid(error.to_string()))?;
    Database::new(name).map_err(|error| invalid(error.to_string()))
}
