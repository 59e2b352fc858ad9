//! The parts of a read. No I/O; time is an argument.
//!
//! **Invariant.** A slice counts as closed only if no event that counts can still be written into it: it ended more than the
//! overlap before it is read. An attempt whose write took longer than that fails, or writes its events anew before it delivers
//! them.

use std::ops::Range;
use std::time::Duration;

use entity_stream_protocol::EpochMillis;

use crate::timing::{CLOCK_SKEW, Timing};

/// The time of a slice.
const SLICE: Duration = Duration::from_secs(30);

/// The number of a slice of time.
pub type SliceNumber = u64;

/// The parts of a read: slices that do not change any more and may be kept, and the rest, which is read anew each time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadPlan {
    closed: Range<SliceNumber>,
    open: Range<EpochMillis>,
}

impl ReadPlan {
    /// Plans a read of the events from `from` until `now`. The interests of the connection that asks are written before `now`.
    pub fn new(timing: Timing, from: EpochMillis, now: EpochMillis) -> Self {
        let first = slice_of(from);
        let open = slice_of(now.minus(timing.overlap)).max(first);
        // Clocks differ, so that there are positions of the future.
        Self { closed: first..open, open: start_of(open).max(from)..now.plus(2 * CLOCK_SKEW) }
    }

    /// The slices that do not change any more. The first one may begin before the read does.
    pub fn closed(&self) -> Range<SliceNumber> {
        self.closed.clone()
    }

    /// The time of the rest.
    pub fn open(&self) -> Range<EpochMillis> {
        self.open.clone()
    }
}

/// The slice of a time.
pub fn slice_of(at: EpochMillis) -> SliceNumber {
    at.seconds() / SLICE.as_secs()
}

/// The first moment of a slice.
pub fn start_of(slice: SliceNumber) -> EpochMillis {
    EpochMillis::from_seconds(slice.saturating_mul(SLICE.as_secs()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_parts_are_the_whole_time_and_closed_slices_ended_before_the_overlap(start in 0..10_000_000_i64, length in 0..10_000_000_i64) {
            let (from, now) = (EpochMillis::new(start), EpochMillis::new(start + length));
            let plan = ReadPlan::new(Timing::SERVICE, from, now);
            let (closed, open) = (plan.closed(), plan.open());
            prop_assert_eq!(closed.start, slice_of(from));
            prop_assert!(start_of(closed.start) <= from);
            prop_assert_eq!(open.start, start_of(closed.end).max(from));
            prop_assert_eq!(open.end, now.plus(2 * CLOCK_SKEW));
            prop_assert!(closed.is_empty() || start_of(closed.end) <= now.minus(Timing::SERVICE.overlap));
        }
    }
}
