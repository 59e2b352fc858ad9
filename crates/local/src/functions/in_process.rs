use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_dynamodb::config::BehaviorVersion;
use bytes::Bytes;
use entity_stream_broadcast::Broadcast;
use entity_stream_clock::Clock;
use entity_stream_connect::Connect;
use entity_stream_default::DefaultRoute;
use entity_stream_disconnect::Disconnect;
use entity_stream_ingest::Ingest;
use entity_stream_runtime::{
    AwsServices, BroadcastConfig, ConnectConfig, DefaultConfig, DisconnectConfig, Failure, IngestConfig, InvalidConfig,
    KeySource, read_event,
};
use lambda_runtime::{Context, LambdaEvent};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio_util::task::AbortOnDropHandle;

use super::function::{Function, InvokeError};
use crate::config::Config;
use crate::dynamodb::DynamoDb;
use crate::error::StartError;
use crate::settings::{aws_config, aws_config_with, environment};

/// The functions' handlers in this process, fed with the JSON that Lambda would give them.
#[derive(Debug)]
pub(crate) struct InProcess {
    connect: Arc<Connect>,
    disconnect: Arc<Disconnect>,
    default: Arc<DefaultRoute>,
    broadcast: Arc<Broadcast>,
    ingest: Arc<Ingest>,
    clock: Clock,
}

impl InProcess {
    pub(crate) async fn new(config: &Config, address: SocketAddr, dynamodb: &DynamoDb) -> Result<Self, StartError> {
        let environment = environment(config, address);
        let connect = ConnectConfig::read(&environment);
        let default = DefaultConfig::read(&environment);
        let disconnect = DisconnectConfig::read(&environment);
        let broadcast = BroadcastConfig::read(&environment);
        let ingest = IngestConfig::read(&environment);
        let errors = [
            connect.as_ref().err(),
            default.as_ref().err(),
            disconnect.as_ref().err(),
            broadcast.as_ref().err(),
            ingest.as_ref().err(),
        ];
        if let Some(invalid) = InvalidConfig::merged(errors.into_iter().flatten()) {
            return Err(invalid.into());
        }
        let default = default?;
        let mut aws = AwsServices {
            dynamodb: aws_config_with(&dynamodb.url(), dynamodb.connector().into_client()),
            ..AwsServices::all(aws_config(&format!("http://{address}")))
        };
        // A secret with an ARN is in a real account. The local system reads it with the credentials of this machine.
        if default.tokens.as_ref().is_some_and(|tokens| matches!(tokens.keys, KeySource::SecretArn(_))) {
            aws.secrets_manager = ::aws_config::load_defaults(BehaviorVersion::latest()).await;
        }
        let clock = config.clock.clone();
        Ok(Self {
            connect: Arc::new(Connect::new(connect?, &aws, clock.clone()).await?),
            disconnect: Arc::new(Disconnect::new(disconnect?, &aws)),
            default: Arc::new(DefaultRoute::new(default, &aws, clock.clone()).await?),
            broadcast: Arc::new(Broadcast::new(broadcast?, &aws, clock.clone())),
            ingest: Arc::new(Ingest::new(ingest?, &aws, clock.clone()).await?),
            clock,
        })
    }

    pub(crate) async fn invoke(
        &self,
        function: Function,
        payload: Bytes,
        request_id: &str,
        limit: Duration,
    ) -> Result<Bytes, InvokeError> {
        let mut context = Context::default();
        request_id.clone_into(&mut context.request_id);
        context.deadline = self.clock.now().plus(limit).millis();
        match function {
            Function::Connect => {
                let connect = Arc::clone(&self.connect);
                run(payload, context, async move |event| connect.handle(event).await).await
            }
            Function::Disconnect => {
                let disconnect = Arc::clone(&self.disconnect);
                run(payload, context, async move |event| disconnect.handle(event).await).await
            }
            Function::Default => {
                let default = Arc::clone(&self.default);
                run(payload, context, async move |event| default.handle(event).await).await
            }
            Function::Broadcast => {
                let broadcast = Arc::clone(&self.broadcast);
                run(payload, context, async move |event| broadcast.handle(event).await).await
            }
            Function::Ingest => {
                let ingest = Arc::clone(&self.ingest);
                run(payload, context, async move |event| ingest.handle(event).await).await
            }
        }
    }
}

/// Runs a handler on a task of its own: a panic fails only that invocation, as in Lambda.
async fn run<A, R, F>(
    payload: Bytes,
    context: Context,
    handle: impl FnOnce(LambdaEvent<A>) -> F,
) -> Result<Bytes, InvokeError>
where
    A: DeserializeOwned,
    R: Serialize + Send + 'static,
    F: Future<Output = Result<R, Failure>> + Send + 'static,
{
    let event = read_event(&payload).map_err(|failure| failed(failure.kind, failure.message))?;
    // An invocation ends when its caller no longer waits, as Lambda ends an invocation at its time-out.
    let task = AbortOnDropHandle::new(tokio::spawn(handle(LambdaEvent::new(event, context))));
    let result = task.await.map_err(|error| failed("Panic", error.to_string()))?;
    let output = result.map_err(|failure| failed(failure.kind, failure.message))?;
    serde_json::to_vec(&output).map(Bytes::from).map_err(|error| failed("InvalidResult", error.to_string()))
}

fn failed(kind: &str, message: String) -> InvokeError {
    InvokeError::Function { kind: kind.to_owned(), message }
}
