use std::net::SocketAddr;
use std::path::PathBuf;

use entity_stream_auth::ApiKeyError;
use entity_stream_connections::TableError;
use entity_stream_history::HistoryError;
use entity_stream_runtime::{InvalidConfig, SecretError};

use crate::config::RESERVED;

/// Why the local system could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A port is taken, or may not be listened on.
    #[error("{what} cannot listen on {address}: {reason}; choose another port with {option}")]
    Listen {
        /// The part of the system.
        what: &'static str,
        /// The command's option for the port.
        option: &'static str,
        /// The address.
        address: SocketAddr,
        /// The reason.
        reason: String,
    },
    /// The stage's name cannot be part of a path, or is taken.
    #[error("{0:?} is no stage: it is a name of A-Z a-z 0-9 _ - other than {RESERVED}, such as local")]
    Stage(String),
    /// The data file cannot be opened or written.
    #[error("the data file {} cannot be used: {reason}", path.display())]
    Data {
        /// The file.
        path: PathBuf,
        /// The reason.
        reason: String,
    },
    /// Another local system has the data file.
    #[error(
        "the data file {} belongs to another local system that is running: stop that one, or choose another file",
        path.display()
    )]
    DataInUse {
        /// The file.
        path: PathBuf,
    },
    /// The data file has the layout of an earlier version.
    #[error(
        "the data file {} has the layout of an earlier version, which kept API keys in the table of connections: delete the \
         file or choose another one, start again, and create the API keys again with `entity-stream keys create`",
        path.display()
    )]
    DataLayout {
        /// The file.
        path: PathBuf,
    },
    /// The embedded DynamoDB does not work.
    #[error("the embedded DynamoDB does not work: {0}")]
    Table(#[from] TableError),
    /// The table of the history cannot be created in the embedded DynamoDB.
    #[error("the embedded DynamoDB does not work: {0}")]
    History(#[from] HistoryError),
    /// The table of API keys cannot be created in the embedded DynamoDB.
    #[error("the embedded DynamoDB does not work: {0}")]
    ApiKeys(#[from] ApiKeyError),
    /// Variables of the functions are missing or malformed.
    #[error(transparent)]
    Config(#[from] InvalidConfig),
    /// The secret that signs tokens cannot be used.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The URL given for the functions makes no sense.
    #[error("{0:?} is no Lambda endpoint: it is an http URL of host and port alone, such as http://localhost:9000")]
    LambdaEndpoint(String),
}

impl StartError {
    pub(crate) fn listen(
        what: &'static str,
        option: &'static str,
        address: SocketAddr,
        error: &std::io::Error,
    ) -> Self {
        let reason = match error.kind() {
            std::io::ErrorKind::AddrInUse => "another program listens there".to_owned(),
            std::io::ErrorKind::PermissionDenied => "this needs more rights".to_owned(),
            _ => error.to_string(),
        };
        Self::Listen { what, option, address, reason }
    }
}
