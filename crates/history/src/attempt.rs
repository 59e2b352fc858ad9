//! One attempt to deliver events: the first invocation, a retry of Lambda's, or a continuation. No I/O; time is an argument.
//!
//! **Invariant.** An attempt that succeeds has read each page of its audience and made each delivery within
//! [`Timing::attempt`] after the position of an item that was in the history before, and no more than the overlap allows lay
//! between two such positions. The types keep the order: [`EventAttempt::begin`] gives the position to write, only the result
//! of that write gives an attempt, and only an attempt permits reads and deliveries. An attempt that could not write delivers
//! too, but must fail, so that its events are written at a later position by its retry. The same holds for an attempt that wrote
//! its events anew too late.
//!
//! Reads of the audience need a permit as much as deliveries do: a client that is away when a page is read resumes from a
//! position whose overlap has to reach back to an item of the attempt.

use std::time::Duration;

use entity_stream_protocol::EpochMillis;

use crate::timing::Timing;

/// The first step: write the events at this time, before their audience is read.
#[derive(Debug)]
#[must_use]
pub struct UnwrittenAttempt {
    timing: Timing,
    at: EpochMillis,
}

/// An attempt whose events were written, or could not be.
#[derive(Clone, Copy, Debug)]
pub struct EventAttempt {
    timing: Timing,
    /// The time of the last position. `None`: the history does not have the events.
    written_at: Option<EpochMillis>,
}

/// The permission of a delivery, or of a read of the audience.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permit {
    /// Deliver, or read, until this time.
    Until(EpochMillis),
    /// First write the events anew, at the present time. Every other step of the attempt waits for the result.
    Renew,
    /// Deliver, or read, without a limit. The attempt fails at its end.
    Unrecorded,
}

impl EventAttempt {
    /// Begins an attempt.
    pub fn begin(timing: Timing, now: EpochMillis) -> UnwrittenAttempt {
        UnwrittenAttempt { timing, at: now }
    }

    /// Returns the permission of a delivery, or of a read of a page of the audience, that takes this long at most.
    pub fn permit(&self, now: EpochMillis, time: Duration) -> Permit {
        match self.written_at.map(|at| at.plus(self.timing.attempt)) {
            None => Permit::Unrecorded,
            Some(until) if now.plus(time) <= until => Permit::Until(until),
            Some(_) => Permit::Renew,
        }
    }

    /// Records that the events were written anew at this time, or could not be.
    ///
    /// An attempt that renews too late fails at its end. A client of its audience may have seen a position that is more than the
    /// overlap later than the former one, dropped, and read the history before the new write: it is not in the audience.
    pub fn renewed(&mut self, at: EpochMillis, is_written: bool) {
        let is_in_time = |former: &EpochMillis| at <= former.plus(self.timing.renewal());
        self.written_at = self.written_at.filter(is_in_time).and(is_written.then_some(at));
    }

    /// Returns whether the attempt may succeed. Otherwise Lambda has to repeat it, even if each connection has its event.
    pub fn may_succeed(&self) -> bool {
        self.written_at.is_some()
    }
}

impl UnwrittenAttempt {
    /// The time of the events' position.
    pub fn at(&self) -> EpochMillis {
        self.at
    }

    /// The attempt after the write.
    pub fn written(self, is_written: bool) -> EventAttempt {
        EventAttempt { timing: self.timing, written_at: is_written.then_some(self.at) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn deliveries_end_within_the_time_of_the_attempt_and_go_on_after_a_renewal() {
        let start = EpochMillis::new(1_000_000);
        let mut attempt = EventAttempt::begin(Timing::SERVICE, start).written(true);
        assert_eq!(attempt.permit(start.plus(8 * SECOND), 2 * SECOND), Permit::Until(start.plus(10 * SECOND)));
        let late = start.plus(9 * SECOND);
        assert_eq!(attempt.permit(late, 2 * SECOND), Permit::Renew);
        attempt.renewed(late, true);
        assert_eq!(attempt.permit(late.plus(SECOND), 2 * SECOND), Permit::Until(late.plus(10 * SECOND)));
        assert!(attempt.may_succeed());
    }

    #[test]
    fn an_attempt_that_renews_too_late_for_the_overlap_delivers_and_fails() {
        let start = EpochMillis::new(1_000_000);
        for (seconds, may_succeed) in [(9, true), (11, true), (12, false), (600, false)] {
            let mut attempt = EventAttempt::begin(Timing::SERVICE, start).written(true);
            let late = start.plus(seconds * SECOND);
            assert_eq!(attempt.permit(late, 2 * SECOND), Permit::Renew);
            attempt.renewed(late, true);
            assert_eq!(attempt.may_succeed(), may_succeed, "after {seconds} s");
            assert_eq!(attempt.permit(late, SECOND) == Permit::Unrecorded, !may_succeed, "after {seconds} s");
        }
    }

    #[test]
    fn an_attempt_that_could_not_write_delivers_and_fails() {
        let start = EpochMillis::new(1_000_000);
        let mut attempt = EventAttempt::begin(Timing::SERVICE, start).written(false);
        assert_eq!(attempt.permit(start.plus(60 * SECOND), SECOND), Permit::Unrecorded);
        attempt.renewed(start, true);
        assert!(!attempt.may_succeed(), "the audience was read before the write");
        let mut attempt = EventAttempt::begin(Timing::SERVICE, start).written(true);
        attempt.renewed(start.plus(9 * SECOND), false);
        assert_eq!(attempt.permit(start.plus(9 * SECOND), SECOND), Permit::Unrecorded);
        assert!(!attempt.may_succeed());
    }
}
