use entity_stream_protocol::Tenant;
use entity_stream_simulation::Rate;
use tokio::sync::watch;

/// What is to be simulated.
#[derive(Clone, Debug, PartialEq)]
pub struct Simulated {
    /// Whose entities change.
    pub tenant: Tenant,
    /// How fast.
    pub rate: Rate,
}

/// The switch of the simulation. The monitor page turns it; who owns the [`Local`](crate::Local) does what it says,
/// because a simulation publishes from outside, as every publisher does.
#[derive(Clone, Debug)]
pub struct SimulationSwitch(watch::Sender<Option<Simulated>>);

impl Default for SimulationSwitch {
    fn default() -> Self {
        Self(watch::Sender::new(None))
    }
}

impl SimulationSwitch {
    /// Asks for a simulation, or for none. What is asked for already goes on as it is.
    pub fn set(&self, wanted: Option<Simulated>) {
        self.0.send_if_modified(|current| {
            let differs = *current != wanted;
            *current = wanted;
            differs
        });
    }

    /// What is asked for now, and every change of it. Without a single follower the page shows no switch.
    pub fn follow(&self) -> watch::Receiver<Option<Simulated>> {
        self.0.subscribe()
    }

    pub(crate) fn wanted(&self) -> Option<Simulated> {
        self.0.borrow().clone()
    }

    pub(crate) fn is_followed(&self) -> bool {
        self.0.receiver_count() > 0
    }
}
