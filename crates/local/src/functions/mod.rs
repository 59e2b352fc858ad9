//! Invoking the five functions, in this process or through Lambda's Invoke API. Either way they get JSON and answer JSON.

mod function;
mod in_process;
mod invoke_api;
pub(crate) mod lambda_api;

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;

pub(crate) use self::function::{Function, InvokeError};
use self::in_process::InProcess;
use self::invoke_api::InvokeApi;
use crate::config::{Config, FunctionHost};
use crate::dynamodb::DynamoDb;
use crate::error::StartError;

/// The five functions.
#[derive(Debug)]
pub(crate) enum Invoker {
    InProcess(Box<InProcess>),
    InvokeApi(Box<InvokeApi>),
}

impl Invoker {
    pub(crate) async fn new(config: &Config, address: SocketAddr, dynamodb: &DynamoDb) -> Result<Self, StartError> {
        Ok(match &config.functions {
            FunctionHost::InProcess => Self::InProcess(Box::new(InProcess::new(config, address, dynamodb).await?)),
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
        self.invoke_as(&uuid::Uuid::new_v4().to_string(), function, payload, limit).await
    }

    /// Invokes a function, with the id of the invocation that is retried. Lambda's Invoke API chooses the id itself.
    pub(crate) async fn invoke_as(
        &self,
        request_id: &str,
        function: Function,
        payload: Bytes,
        limit: Duration,
    ) -> Result<Bytes, InvokeError> {
        let invocation = async {
            match self {
                Self::InProcess(functions) => functions.invoke(function, payload, request_id, limit).await,
                Self::InvokeApi(api) => api.invoke(function, payload).await,
            }
        };
        tokio::time::timeout(limit, invocation).await.unwrap_or(Err(InvokeError::TimedOut(limit)))
    }
}
