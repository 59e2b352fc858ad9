use std::str::FromStr;

use entity_stream_protocol::Tenant;
use tokio::sync::watch;

/// Events per second: from 0.001 to 10,000.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate(f64);

/// A rate that nobody can mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a rate is a number of events per second, from 0.001 to 10000")]
pub struct InvalidRate;

impl Rate {
    /// So many events per second.
    ///
    /// # Errors
    /// [`InvalidRate`] outside the range, and for what is no number.
    pub fn new(per_second: f64) -> Result<Self, InvalidRate> {
        if (0.001..=10_000.0).contains(&per_second) { Ok(Self(per_second)) } else { Err(InvalidRate) }
    }

    /// The number.
    pub fn per_second(self) -> f64 {
        self.0
    }
}

impl FromStr for Rate {
    type Err = InvalidRate;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map_err(|_| InvalidRate).and_then(Self::new)
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_a_sensible_number() {
        for text in ["1", "0.001", "1e3", "10000"] {
            assert!(text.parse::<Rate>().is_ok(), "{text}");
        }
        for text in ["0", "-1", "nan", "inf", "10001", "", "fast", "1e-300"] {
            assert_eq!(text.parse::<Rate>(), Err(InvalidRate), "{text}");
        }
    }
}
