use std::time::Duration;

use entity_stream_protocol::EpochMillis;

/// Since when each event is in the history, and for how long it stays there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Epoch {
    /// Each event whose position is not earlier is in the history.
    pub since: EpochMillis,
    /// The time for which an event stays.
    pub retention: Duration,
}

impl Epoch {
    /// Returns whether the history holds every event from this time on.
    pub fn covers(&self, from: EpochMillis) -> bool {
        self.since <= from
    }
}
