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
    /// There is a connection, perhaps since an earlier call.
    pub(crate) fn online(&mut self, now: Instant) {
        self.since.get_or_insert(now);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_online_never_goes_back() {
        let (start, minute) = (Instant::now(), Duration::from_secs(60));
        let mut online = OnlineTime::default();
        online.online(start);
        online.online(start + minute);
        assert_eq!(online.at(start + 2 * minute), 2 * minute);
        online.offline(start + 3 * minute);
        assert_eq!(online.at(start + 10 * minute), 3 * minute);
        online.online(start + 10 * minute);
        assert_eq!(online.at(start + 11 * minute), 4 * minute);
    }
}
