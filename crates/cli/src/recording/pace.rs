//! The pace of a replay.
//!
//! Invariant: an event is due after the former one, by the time between their arrivals divided by the speed, and at most by the
//! longest pause. A slow bus delays events, but adds nothing to the pauses after them.

use std::str::FromStr;
use std::time::Duration;

use entity_stream_protocol::EpochMillis;
use tokio::time::Instant;

/// The speed of a replay.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum ReplaySpeed {
    /// The pauses of the recording, divided by this factor.
    Factor(f64),
    /// No pauses.
    Max,
}

impl ReplaySpeed {
    fn pause(self, recorded: Duration) -> Duration {
        match self {
            Self::Factor(factor) => recorded.div_f64(factor),
            Self::Max => Duration::ZERO,
        }
    }
}

impl FromStr for ReplaySpeed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "max" {
            return Ok(Self::Max);
        }
        let factor = text.parse().ok().filter(|factor| (0.001..=1000.0).contains(factor)).map(Self::Factor);
        factor.ok_or_else(|| "expected a factor from 0.001 to 1000, such as 2 for double speed, or max".to_owned())
    }
}

/// Tells when each event of a recording is due.
#[derive(Debug)]
pub(crate) struct Pace {
    speed: ReplaySpeed,
    longest_pause: Option<Duration>,
    /// When the former event was due, and when it arrived.
    former: Option<(Instant, EpochMillis)>,
}

impl Pace {
    pub(crate) fn new(speed: ReplaySpeed, longest_pause: Option<Duration>) -> Self {
        Self { speed, longest_pause, former: None }
    }

    /// Returns when the next event is due. The first one is due now.
    pub(crate) fn due(&mut self, received_at: EpochMillis) -> Instant {
        let due = self.former.map_or_else(Instant::now, |(due, former)| {
            let pause = self.speed.pause(received_at.since(former));
            due + self.longest_pause.map_or(pause, |longest| pause.min(longest))
        });
        self.former = Some((due, received_at));
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pauses(speed: &str, longest_pause: Option<u64>, arrivals: &[i64]) -> Vec<u64> {
        let mut pace = Pace::new(speed.parse().unwrap(), longest_pause.map(Duration::from_millis));
        let due: Vec<_> = arrivals.iter().map(|arrival| pace.due(EpochMillis::new(*arrival))).collect();
        due.windows(2).map(|pair| u64::try_from((pair[1] - pair[0]).as_millis()).unwrap()).collect()
    }

    #[test]
    fn a_speed_divides_the_pauses() {
        for (speed, expected) in [("1", 1000), ("2", 500), ("0.5", 2000), ("max", 0)] {
            assert_eq!(pauses(speed, None, &[5000, 6000, 6000]), [expected, 0], "{speed}");
        }
        for text in ["0", "-1", "fast", "NaN", "inf", "1e9", ""] {
            assert!(text.parse::<ReplaySpeed>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_long_pause_is_shortened_alone() {
        assert_eq!(pauses("2", Some(3000), &[0, 1000, 86_400_000, 86_401_000]), [500, 3000, 500]);
    }

    #[test]
    fn an_event_that_arrived_before_the_former_one_is_due_with_it() {
        assert_eq!(pauses("1", None, &[5000, 2000, 3000]), [0, 1000]);
    }
}
