use entity_stream_clock::Clock;
use entity_stream_protocol::rfc3339_of_micros;

/// The timestamps of the changes of a run that have none of their own. Each is later than the one before, because the bus keeps
/// no order, and its own times have whole seconds.
#[derive(Debug)]
pub(crate) struct ChangeTimes {
    clock: Clock,
    /// The last time, in microseconds.
    last: i64,
}

impl ChangeTimes {
    /// The times of this clock.
    pub(crate) fn new(clock: Clock) -> Self {
        Self { clock, last: i64::MIN }
    }

    /// The present time, or a microsecond after the last one. `None` only in a year that RFC 3339 cannot write.
    pub(crate) fn next(&mut self) -> Option<String> {
        let now = i64::try_from(self.clock.now().millis()).unwrap_or(i64::MAX).saturating_mul(1000);
        self.last = now.max(self.last.saturating_add(1));
        rfc3339_of_micros(self.last)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicI64, Ordering};

    use entity_stream_protocol::EpochMillis;

    use super::*;

    #[test]
    fn each_time_is_later_than_the_one_before() {
        let millis = Arc::new(AtomicI64::new(1_767_323_045_678));
        let read = Arc::clone(&millis);
        let mut times = ChangeTimes::new(Clock::new(move || EpochMillis::new(read.load(Ordering::Relaxed))));
        assert_eq!(times.next().unwrap(), "2026-01-02T03:04:05.678000Z");
        assert_eq!(times.next().unwrap(), "2026-01-02T03:04:05.678001Z");
        millis.fetch_sub(60_000, Ordering::Relaxed);
        assert_eq!(times.next().unwrap(), "2026-01-02T03:04:05.678002Z", "a clock may be set back");
        millis.fetch_add(60_001, Ordering::Relaxed);
        assert_eq!(times.next().unwrap(), "2026-01-02T03:04:05.679000Z");
    }
}
