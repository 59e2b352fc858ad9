//! Invoking the four functions, in this process or through Lambda's Invoke API. Either way they get JSON and answer JSON.

mod in_process;
mod invoke_api;

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use entity_stream_connections::Table;

use crate::config::FunctionHost;
use crate::{Config, StartError};
use in_process::InProcess;
use invoke_api::InvokeApi;

/// One of the four functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Function {
    Connect,
    Disconnect,
    Default,
    Broadcast,
}

/// Why an invocation gave no result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvokeError {
    /// The function reported an error, or broke down.
    #[error("{kind}: {message}")]
    Function { kind: String, message: String },
    /// It did not answer in time.
    #[error("no answer within {0:?}")]
    TimedOut(Duration),
    /// There are too many invocations already.
    #[error("{0}")]
    Throttled(String),
    /// It could not be invoked.
    #[error("{0}")]
    Unavailable(String),
}

/// The four functions.
#[derive(Debug)]
pub(crate) enum Functions {
    InProcess(Box<InProcess>),
    InvokeApi(Box<InvokeApi>),
}

impl Functions {
    pub(crate) async fn new(
        config: &Config,
        table: Table,
        address: SocketAddr,
        dynamodb_url: &str,
    ) -> Result<Self, StartError> {
        Ok(match &config.functions {
            FunctionHost::InProcess => {
                Self::InProcess(Box::new(InProcess::new(config, table, address, dynamodb_url).await?))
            }
            FunctionHost::Lambda { endpoint, names } => {
                Self::InvokeApi(Box::new(InvokeApi::new(endpoint, names.clone())?))
            }
        })
    }

    /// Invokes a function and waits for its result, for as long as it may run.
    pub(crate) async fn invoke(
        &self,
        function: Function,
        payload: Bytes,
        limit: Duration,
    ) -> Result<Bytes, InvokeError> {
        let invocation = async {
            match self {
                Self::InProcess(functions) => functions.invoke(function, payload, limit).await,
                Self::InvokeApi(api) => api.invoke(function, payload).await,
            }
        };
        tokio::time::timeout(limit, invocation).await.unwrap_or(Err(InvokeError::TimedOut(limit)))
    }
}
