use std::sync::Arc;

use tokio_util::task::TaskTracker;

use crate::Config;
use crate::bus::Bus;
use crate::functions::Functions;
use crate::gateway::Connections;

/// What the parts of the running system share.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) config: Config,
    pub(crate) functions: Arc<Functions>,
    pub(crate) connections: Connections,
    pub(crate) bus: Bus,
    /// The tasks of open WebSockets, each of which ends with `$disconnect`.
    pub(crate) sessions: TaskTracker,
}

impl State {
    pub(crate) fn new(config: Config, functions: Functions) -> Self {
        let functions = Arc::new(functions);
        let bus = Bus::new(Arc::clone(&functions), &config.times);
        Self { config, functions, connections: Connections::default(), bus, sessions: TaskTracker::new() }
    }
}
