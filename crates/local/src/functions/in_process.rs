use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_dynamodb::config::BehaviorVersion;
use bytes::Bytes;
use entity_stream_auth::{Authenticator, Verifier};
use entity_stream_broadcast::{Broadcast, DeadLetterQueue, Outlets};
use entity_stream_connect::Connect;
use entity_stream_connections::Table;
use entity_stream_default::DefaultRoute;
use entity_stream_delivery::ManagementApi;
use entity_stream_disconnect::Disconnect;
use entity_stream_protocol::Clock;
use entity_stream_publisher::Publisher;
use entity_stream_runtime::environment::JWT_SECRET_ARN;
use entity_stream_runtime::{Environment, Failure, read_event};
use lambda_runtime::{Context, LambdaEvent};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio_util::task::AbortOnDropHandle;

use super::function::{Function, InvokeError};
use crate::config::Config;
use crate::error::StartError;
use crate::settings::{aws_config, environment};

/// The functions' handlers in this process, fed with the JSON that Lambda would give them.
#[derive(Debug)]
pub(crate) struct InProcess {
    connect: Arc<Connect>,
    disconnect: Arc<Disconnect>,
    default: Arc<DefaultRoute>,
    broadcast: Arc<Broadcast>,
    clock: Clock,
}

impl InProcess {
    pub(crate) async fn new(
        config: &Config,
        table: Table,
        address: SocketAddr,
        dynamodb_url: &str,
    ) -> Result<Self, StartError> {
        let environment = environment(config, address);
        let clock = config.clock.clone();
        let verifier = verifier(&environment, dynamodb_url).await?;
        let api_keys = environment.api_keys(&aws_config(dynamodb_url))?;
        let authenticator = verifier.clone().map(|verifier| Authenticator::new(verifier, api_keys));
        // One client for each function, as each has its own process on AWS.
        let management_api = || management_api(&environment, address);
        let broadcast = Broadcast::new(
            &environment,
            table.clone(),
            management_api()?,
            outlets(&environment, address)?,
            clock.clone(),
        )?;
        Ok(Self {
            connect: Arc::new(Connect::new(&environment, authenticator, table.clone(), clock.clone())?),
            disconnect: Arc::new(Disconnect::new(table.clone())),
            default: Arc::new(DefaultRoute::new(&environment, verifier, table, management_api()?, clock.clone())?),
            broadcast: Arc::new(broadcast),
            clock,
        })
    }

    pub(crate) async fn invoke(
        &self,
        function: Function,
        payload: Bytes,
        limit: Duration,
    ) -> Result<Bytes, InvokeError> {
        let mut context = Context::default();
        context.request_id = uuid::Uuid::new_v4().to_string();
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

fn management_api(environment: &Environment, address: SocketAddr) -> Result<ManagementApi, StartError> {
    Ok(environment.management_api(&aws_config(&format!("http://{address}")))?)
}

fn outlets(environment: &Environment, address: SocketAddr) -> Result<Outlets, StartError> {
    let config = aws_config(&format!("http://{address}"));
    let queue = |url| DeadLetterQueue::new(aws_sdk_sqs::Client::new(&config), url);
    let bus = |name| Publisher::new(aws_sdk_eventbridge::Client::new(&config), name);
    Ok(Outlets {
        bus: environment.event_bus_name()?.map(bus),
        dead_letters: environment.dead_letter_queue_url()?.map(queue),
    })
}

/// The verification of tokens. A secret with an ARN is in a real account. It is read with the machine's own credentials,
/// because its name asks for that.
async fn verifier(environment: &Environment, dynamodb_url: &str) -> Result<Option<Verifier>, StartError> {
    let secrets = if environment.optional(JWT_SECRET_ARN).is_some() {
        ::aws_config::load_defaults(BehaviorVersion::latest()).await
    } else {
        aws_config(dynamodb_url)
    };
    Ok(entity_stream_runtime::verifier(environment, &secrets).await?)
}
