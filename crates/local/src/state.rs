use std::sync::Arc;

use entity_stream_connections::Table;
use tokio_util::task::TaskTracker;

use crate::bus::Bus;
use crate::config::Config;
use crate::functions::Invoker;
use crate::gateway::Connections;
use crate::simulation::SimulationSwitch;

/// The state that the parts of the running system share.
#[derive(Debug)]
pub(crate) struct SystemState {
    pub(crate) config: Config,
    pub(crate) functions: Arc<Invoker>,
    pub(crate) connections: Connections,
    pub(crate) bus: Bus,
    /// The registered connections, for the monitor page.
    pub(crate) table: Table,
    pub(crate) simulation: SimulationSwitch,
    /// The tasks of open WebSockets, each of which ends with `$disconnect`, and of the messages that are being handled.
    pub(crate) sessions: TaskTracker,
}

impl SystemState {
    pub(crate) fn new(config: Config, functions: Invoker, table: Table) -> Self {
        let functions = Arc::new(functions);
        let bus = Bus::start(Arc::clone(&functions), &config);
        Self {
            config,
            functions,
            connections: Connections::default(),
            bus,
            table,
            simulation: SimulationSwitch::default(),
            sessions: TaskTracker::new(),
        }
    }
}
