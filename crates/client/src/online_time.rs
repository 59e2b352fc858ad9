use std::time::Duration;

use tokio::time::Instant;

/// The time that a stream has been connected. The memory of events ages by this time: a stream that comes back after an hour still
/// knows its events, of which the server repeats some.
#[derive(Debug, Default)]
pub(crate) struct OnlineTime {
    /// The time of the connections before this one.
    before: Duration,
    since: Option<Instant>,
}

impl OnlineTime {
    /// A connection opened.
    pub(crate) fn online(&mut self, now: Instant) {
        self.since = Some(now);
    }

    /// The connection ended.
    pub(crate) fn offline(&mut self, now: Instant) {
        (self.before, self.since) = (self.at(now), None);
    }

    /// The time online until now.
    pub(crate) fn at(&self, now: Instant) -> Duration {
        self.before + self.since.map_or(Duration::ZERO, |since| now - since)
    }
}
