use entity_stream_protocol::Tenant;
use entity_stream_simulation::{EventForm, Rate};
use tokio::sync::watch;

/// A simulation that the switch asks for.
#[derive(Clone, Debug, PartialEq)]
pub struct Simulated {
    /// The tenant whose entities change.
    pub tenant: Tenant,
    /// The rate of the changes.
    pub rate: Rate,
    /// The form of the events.
    pub form: EventForm,
}

/// The switch of the simulation. The monitor page turns it. The owner of the [`Local`](crate::Local) follows it, because a
/// simulation publishes from outside, as every publisher does.
#[derive(Clone, Debug)]
pub struct SimulationSwitch(watch::Sender<Option<Simulated>>);

impl Default for SimulationSwitch {
    fn default() -> Self {
        Self(watch::Sender::new(None))
    }
}

impl SimulationSwitch {
    /// Asks for a simulation, or for none. A simulation that already runs as asked goes on.
    pub fn set(&self, wanted: Option<Simulated>) {
        self.0.send_if_modified(|current| {
            let differs = *current != wanted;
            *current = wanted;
            differs
        });
    }

    /// The current request and every later one. Without a follower, the page shows no switch.
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
