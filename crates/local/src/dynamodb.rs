use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use dynoxide::Database;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::data_file::DataFile;
use crate::error::StartError;
use crate::loopback;

/// The time that running requests have to end when the server stops.
const FAREWELL: Duration = Duration::from_secs(2);

/// The embedded DynamoDB, served over HTTP so that any AWS SDK or `aws dynamodb --endpoint-url` reaches it.
#[derive(Debug)]
pub(crate) struct DynamoDb {
    address: SocketAddr,
    stop: CancellationToken,
    servers: JoinSet<()>,
    /// Released after the last write.
    _data: Option<DataFile>,
}

impl DynamoDb {
    pub(crate) async fn start(address: SocketAddr, data: Option<&Path>) -> Result<Self, StartError> {
        let (address, listeners) = loopback::listen("the embedded DynamoDB", "--dynamodb-port", address).await?;
        let (data, database) = match data {
            Some(path) => DataFile::open(path).map(|(file, database)| (Some(file), database))?,
            None => (None, in_memory()?),
        };
        let stop = CancellationToken::new();
        let mut servers = JoinSet::new();
        for listener in listeners {
            let (database, stopped) = (database.clone(), stop.clone().cancelled_owned());
            servers.spawn(async move {
                if let Err(error) = dynoxide::server::serve_with_shutdown(listener, database, stopped).await {
                    tracing::error!(error, "the embedded DynamoDB ended");
                }
            });
        }
        Ok(Self { address, stop, servers, _data: data })
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", loopback::reachable(self.address))
    }

    /// Stops serving. Kept-alive connections of the functions' clients are cut off: their last requests are done.
    pub(crate) async fn stop(mut self) {
        self.stop.cancel();
        let ended = async { while self.servers.join_next().await.is_some() {} };
        // The set aborts the servers that take longer.
        let _ = tokio::time::timeout(FAREWELL, ended).await;
    }
}

fn in_memory() -> Result<Database, StartError> {
    Database::memory().map_err(|error| StartError::Data { path: "(in memory)".into(), reason: error.to_string() })
}
