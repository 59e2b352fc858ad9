//! Invariant: the events made follow the rate, to within one batch. A delay is made up for only as far as
//! [`CATCH_UP`] allows; the events beyond that are left out.

use std::time::Duration;

use entity_stream_publisher::limits::REQUEST_ENTRIES;

use crate::rate::Rate;

/// From this rate on, one step fills a batch, and only full batches are made.
const FULL_BATCHES: f64 = 1000.0;
/// The delay that is made up for, in seconds of the rate.
const CATCH_UP: f64 = 1.0;

/// The number of events that are due at each moment.
#[derive(Debug)]
pub(crate) struct Schedule {
    rate: f64,
    left: Option<u64>,
    made: f64,
}

impl Schedule {
    /// `count` events at this rate, or endless events.
    pub(crate) fn new(rate: Rate, count: Option<u64>) -> Self {
        Self { rate: rate.per_second(), left: count, made: 0.0 }
    }

    /// True if the count is reached.
    pub(crate) fn is_over(&self) -> bool {
        self.left == Some(0)
    }

    /// The number of events to make now, after `elapsed` since the start. The first event is due at once.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        reason = "between 0 and 10,001"
    )]
    pub(crate) fn due(&mut self, elapsed: Duration) -> u64 {
        // The hundredth absorbs the timer's rounding, which would delay every other event by one step.
        let target = (elapsed.as_secs_f64() * self.rate + 0.01).floor() + 1.0;
        let most = (self.rate * CATCH_UP).ceil();
        self.made = self.made.max(target - most);
        let behind = (target - self.made).max(0.0) as u64;
        // The rest of a batch waits for the next step, unless the count ends with it.
        let whole = if self.rate >= FULL_BATCHES { behind - behind % REQUEST_ENTRIES as u64 } else { behind };
        let due = self.left.filter(|left| *left <= behind).unwrap_or(whole);
        self.left = self.left.map(|left| left - due);
        self.made += due as f64;
        due
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rate_of(per_second: f64) -> Rate {
        Rate::new(per_second).unwrap()
    }

    proptest! {
        #[test]
        fn the_rate_is_held_for_all_steps(rate in 0.1_f64..10_000.0, steps in prop::collection::vec(1_u64..900, 1..50)) {
            let mut schedule = Schedule::new(rate_of(rate), None);
            let batch = if rate < FULL_BATCHES { 1 } else { REQUEST_ENTRIES as u64 };
            let (mut elapsed, mut made) = (Duration::ZERO, schedule.due(Duration::ZERO));
            prop_assert_eq!(made, u64::from(batch == 1));
            for step in steps {
                elapsed += Duration::from_millis(step);
                let due = schedule.due(elapsed);
                prop_assert_eq!(due % batch, 0);
                made += due;
            }
            let ideal = elapsed.as_secs_f64() * rate + 1.0;
            prop_assert!((made as f64 - ideal).abs() <= batch as f64 + 0.01, "{made} of {ideal}");
        }

        #[test]
        fn a_count_is_reached_and_not_exceeded(count in 1_u64..500, rate in 1.0_f64..10_000.0) {
            let mut schedule = Schedule::new(rate_of(rate), Some(count));
            let (mut made, mut elapsed) = (0, Duration::ZERO);
            while !schedule.is_over() {
                made += schedule.due(elapsed);
                elapsed += Duration::from_millis(500);
            }
            prop_assert_eq!(made, count);
        }
    }

    #[test]
    fn a_short_pause_is_made_up_for() {
        let mut schedule = Schedule::new(rate_of(359.8463), None);
        let made: u64 =
            [0, 739, 963, 1050, 2049].map(|millis| schedule.due(Duration::from_millis(millis))).iter().sum();
        assert_eq!(made, 738);
    }

    #[test]
    fn a_long_pause_is_not_made_up_for() {
        let mut schedule = Schedule::new(rate_of(10.0), None);
        schedule.due(Duration::ZERO);
        assert_eq!(schedule.due(Duration::from_secs(3600)), 10);
        assert_eq!(schedule.due(Duration::from_secs(3601)), 10);
    }
}
