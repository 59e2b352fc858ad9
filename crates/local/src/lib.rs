//! The whole system in one process. `entity-stream local` runs it, and the end-to-end tests start it on free ports.
//!
//! The five functions and their AWS clients are the deployed ones. This crate replaces the cloud around them, behind the
//! same wire formats: API Gateway's WebSocket front door and its `@connections` API, EventBridge's `PutEvents` with
//! Lambda's retries and dead letters, and DynamoDB (the embedded engine `dynoxide`). It reproduces AWS's documented and
//! observed behaviour; the modules name the parts that are not known.

mod access;
mod aws_error;
mod bus;
mod config;
mod data_file;
mod door;
mod dynamodb;
mod error;
mod functions;
mod gateway;
mod history;
mod journal;
mod loopback;
mod monitor;
mod notify;
mod router;
mod settings;
mod simulation;
mod state;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use entity_stream_runtime::{EntityStateConfig, HistoryConfig};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::AbortOnDropHandle;

pub use crate::access::{Access, AllowedHost, AllowedOrigin, InvalidAllowedHost, InvalidAllowedOrigin};
pub use crate::config::{
    Config, FunctionHost, FunctionNames, QueueCapacity, RefusalDelay, RefuseWith, SocketLimits, Times,
};
use crate::door::Door;
use crate::dynamodb::DynamoDb;
pub use crate::error::StartError;
use crate::functions::Invoker;
use crate::loopback::{host, reachable};
pub use crate::settings::{
    API_KEYS_TABLE, CONNECTIONS_TABLE, DEAD_LETTER_QUEUE_PATH, HISTORY_TABLE, REGION, aws_config,
};
pub use crate::simulation::{Simulated, SimulationSwitch};
use crate::state::SystemState;

/// The time that clients have to close, and functions to end, when the system stops.
const FAREWELL: Duration = Duration::from_secs(5);

/// The running system. Dropping it without [`Local::shutdown`] stops it too, but clients then see their connection break.
#[derive(Debug)]
pub struct Local {
    address: SocketAddr,
    dynamodb: DynamoDb,
    state: Arc<SystemState>,
    /// Stops the main port when it is dropped.
    stop: DropGuard,
    server: AbortOnDropHandle<()>,
}

impl Local {
    /// Starts everything. When this has returned, everything listens.
    ///
    /// # Errors
    /// [`StartError`] for a port that is taken, a data file that cannot be used, or a setting that makes no sense.
    pub async fn start(mut config: Config) -> Result<Self, StartError> {
        // Each client takes a file descriptor, and the usual limit of 1,024 would be the first thing in the way.
        match rlimit::increase_nofile_limit(u64::MAX) {
            Ok(files) => config.sockets = config.sockets.within(files),
            Err(error) => tracing::debug!(%error, "could not raise the limit of open files"),
        }
        check_stage(&config.stage)?;
        let (address, listeners) = loopback::listen("the gateway", "--port", config.listen).await?;
        let door = Arc::new(Door::new(&config));
        let dynamodb = DynamoDb::start(config.dynamodb, config.data.as_deref(), Arc::clone(&door)).await?;
        // The table of API keys comes first: a data file without it, but with connections, is of an earlier version.
        settings::api_keys(&dynamodb.url()).create_table_if_missing().await?;
        let table = settings::table(&dynamodb.url());
        table.create_if_missing().await?;
        let history = HistoryConfig::read(&settings::environment(&config, reachable(address)))?;
        // Events that are dropped while streaming is off are in no history.
        let history = history.filter(|_| config.event_streaming_enabled);
        let keeps_states = EntityStateConfig::read(&settings::environment(&config, reachable(address)))?.is_some();
        let has_lost_events = dynamodb.has_lost_events();
        history::prepare(&dynamodb.url(), history, keeps_states, has_lost_events, config.clock.now()).await?;
        dynamodb.begin();
        let functions = Invoker::new(&config, reachable(address), &dynamodb).await?;
        let state = Arc::new(SystemState::new(config, Arc::clone(&door), functions, table, &dynamodb));
        let stop = CancellationToken::new();
        let routed = Arc::clone(&state);
        let handle = move |client, request| router::route(Arc::clone(&routed), client, request);
        let server = AbortOnDropHandle::new(tokio::spawn(door.serve(listeners, stop.clone(), handle)));
        Ok(Self { address, dynamodb, state, stop: stop.drop_guard(), server })
    }

    /// The address of the gateway.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL for WebSocket clients, without the query.
    pub fn websocket_url(&self) -> String {
        format!("ws://{}", host(self.address))
    }

    /// The URL of the event bus, and of the `@connections` API without a stage.
    pub fn http_url(&self) -> String {
        format!("http://{}", host(self.address))
    }

    /// The switch that the monitor page turns on and off.
    pub fn simulation(&self) -> &SimulationSwitch {
        &self.state.simulation
    }

    /// The endpoint of the embedded DynamoDB.
    pub fn dynamodb_url(&self) -> String {
        self.dynamodb.client_url()
    }

    /// Waits until every event published so far has reached its audience, or is a dead letter.
    pub async fn settled(&self) {
        self.state.bus.settled().await;
    }

    /// Delivers the accepted events, closes every connection with 1001, lets `$disconnect` run for each, and stops. The log
    /// names the events that were not delivered in time.
    pub async fn shutdown(self) {
        // The port stays open for the deliveries.
        let is_complete = self.state.bus.drain(self.state.config.drain).await;
        drop(self.stop);
        self.state.connections.close_all();
        self.state.sessions.close();
        if tokio::time::timeout(FAREWELL, self.state.sessions.wait()).await.is_err() {
            tracing::warn!("some clients or functions did not end in time");
        }
        self.state.bus.stop();
        // Running requests end with the server.
        drop(self.server);
        self.dynamodb.stop(is_complete).await;
    }
}

/// A stage is part of paths, beside those that are the local system's own.
fn check_stage(stage: &str) -> Result<(), StartError> {
    let is_name = !stage.is_empty() && stage.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
    let is_path = [config::RESERVED, notify::PATH].contains(&stage);
    if is_name && !is_path { Ok(()) } else { Err(StartError::Stage(stage.to_owned())) }
}
