use std::sync::Arc;

use entity_stream_connections::Table;
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

use crate::bus::Bus;
use crate::config::Config;
use crate::door::Door;
use crate::dynamodb::DynamoDb;
use crate::functions::Invoker;
use crate::gateway::{Connections, Tarpit};
use crate::simulation::SimulationSwitch;

/// The state that the parts of the running system share.
#[derive(Debug)]
pub(crate) struct SystemState {
    pub(crate) config: Config,
    pub(crate) door: Arc<Door>,
    pub(crate) functions: Arc<Invoker>,
    pub(crate) connections: Connections,
    pub(crate) bus: Bus,
    /// The port of DynamoDB, which commands ask for.
    pub(crate) dynamodb_port: u16,
    /// The places for notifications of brokers.
    pub(crate) notifications: Semaphore,
    /// The registered connections, for the monitor page.
    pub(crate) table: Table,
    pub(crate) simulation: SimulationSwitch,
    pub(crate) refusals: Tarpit,
    /// The tasks of open WebSockets, each of which ends with `$disconnect`, and of the messages that are being handled.
    pub(crate) sessions: TaskTracker,
}

impl SystemState {
    pub(crate) fn new(config: Config, door: Arc<Door>, functions: Invoker, table: Table, dynamodb: &DynamoDb) -> Self {
        let functions = Arc::new(functions);
        let bus = Bus::start(Arc::clone(&functions), &config, dynamodb);
        let notifications = Semaphore::new(config.sockets.notifications);
        let refusals = Tarpit::new(config.refusal_delay);
        Self {
            config,
            door,
            refusals,
            functions,
            connections: Connections::default(),
            bus,
            dynamodb_port: dynamodb.port(),
            notifications,
            table,
            simulation: SimulationSwitch::default(),
            sessions: TaskTracker::new(),
        }
    }
}
