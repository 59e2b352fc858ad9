use std::time::Duration;

use tokio::time::Instant;

/// The time that is kept after the last attempt: five seconds to close connections, and the rest to hand on.
const RESERVE: Duration = Duration::from_secs(8);
/// The time in which a connection has to be closed.
pub(crate) const CLOSING: Duration = Duration::from_secs(5);

/// The time that an invocation has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline {
    /// All attempts end here.
    pub(crate) stop: Instant,
    /// The time for which a connection that takes nothing is tried.
    pub(crate) patience: Duration,
    /// Connections have to be closed by then.
    end_of_closing: Instant,
}

impl Deadline {
    /// Divides the time that is left to an invocation. A reserve of a quarter is enough for short invocations.
    pub(crate) fn new(now: Instant, left: Duration, patience: Duration) -> Self {
        let reserve = RESERVE.min(left / 4);
        let stop = now + left - reserve;
        Self { stop, patience, end_of_closing: stop + reserve.mul_f64(CLOSING.div_duration_f64(RESERVE)) }
    }

    /// Attempts until `stop`, without time to close connections.
    #[cfg(test)]
    pub(crate) fn at(stop: Instant, patience: Duration) -> Self {
        Self { stop, patience, end_of_closing: stop }
    }

    /// Returns the end of the attempts to close connections that are given up now.
    pub(crate) fn close_until(&self, now: Instant) -> Instant {
        self.end_of_closing.min(now + CLOSING)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_invocation_keeps_time_to_close_connections_and_to_hand_on() {
        let (now, seconds) = (Instant::now(), Duration::from_secs);
        let deadline = Deadline::new(now, seconds(60), seconds(10));
        assert_eq!(deadline.stop, now + seconds(52));
        assert_eq!(deadline.close_until(now + seconds(20)), now + seconds(25));
        assert_eq!(deadline.close_until(deadline.stop), now + seconds(57), "three seconds are left to hand on");
    }

    #[test]
    fn a_short_invocation_delivers_for_most_of_its_time() {
        let (now, millis) = (Instant::now(), Duration::from_millis);
        let deadline = Deadline::new(now, millis(8000), millis(10_000));
        assert_eq!(deadline.stop, now + millis(6000));
        assert_eq!(deadline.close_until(deadline.stop), now + millis(7250));
    }
}
