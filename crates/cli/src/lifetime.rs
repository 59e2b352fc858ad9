use std::str::FromStr;
use std::time::Duration;

use entity_stream_protocol::EpochMillis;
use jiff::{Span, SpanRelativeTo, Unit};

const DAY: u64 = 24 * 60 * 60;
/// The longest lifetime. A longer one is a mistake.
const LONGEST: Duration = Duration::from_secs(3660 * DAY);

/// The lifetime of a token or a key, in whole seconds, like the times in a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lifetime(Duration);

impl Lifetime {
    /// One hour.
    pub(crate) const HOUR: Self = Self(Duration::from_secs(60 * 60));
    /// One day.
    pub(crate) const DAY: Self = Self(Duration::from_secs(DAY));

    /// The end of a lifetime that begins now.
    pub(crate) fn from(self, now: EpochMillis) -> EpochMillis {
        now.plus(self.0)
    }
}

impl FromStr for Lifetime {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // A day has 24 hours, also when the clocks change.
        let days = SpanRelativeTo::days_are_24_hours();
        let seconds = text.parse::<Span>().ok().and_then(|span| span.total((Unit::Second, days)).ok());
        let seconds = seconds.ok_or("expected a number with its unit, such as 30s, 15m, 1h or 90d")?;
        let duration = Duration::try_from_secs_f64(seconds.trunc()).ok();
        let valid = duration.filter(|duration| !duration.is_zero() && *duration <= LONGEST);
        valid.map(Self).ok_or_else(|| "expected a time of at least 1s and at most 3660d".to_owned())
    }
}

/// A duration in one unit, rounded down: `43 min`, `3 h`, `2 days`.
pub(crate) fn roughly(duration: Duration) -> String {
    match duration.as_secs() {
        seconds @ 0..120 => format!("{seconds} s"),
        seconds @ 120..7200 => format!("{} min", seconds / 60),
        seconds @ 7200..172_800 => format!("{} h", seconds / 3600),
        seconds => format!("{} days", seconds / DAY),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lifetime_is_a_number_with_a_unit() {
        for (text, seconds) in [("30s", 30), ("90m", 5400), ("1h30m", 5400), ("90d", 90 * DAY), ("2 weeks", 14 * DAY)] {
            assert_eq!(text.parse(), Ok(Lifetime(Duration::from_secs(seconds))), "{text}");
        }
        for text in ["", "10", "soon", "1 month"] {
            assert!(text.parse::<Lifetime>().unwrap_err().contains("90d"), "{text}");
        }
        for text in ["-1h", "0s", "900ms", "99999d", "1h ago"] {
            assert!(text.parse::<Lifetime>().unwrap_err().contains("at least 1s and at most 3660d"), "{text}");
        }
    }

    #[test]
    fn a_duration_is_shown_in_one_unit() {
        for (seconds, expected) in
            [(59, "59 s"), (119, "119 s"), (43 * 60 + 59, "43 min"), (3 * 3600, "3 h"), (90 * DAY, "90 days")]
        {
            assert_eq!(roughly(Duration::from_secs(seconds)), expected);
        }
    }
}
