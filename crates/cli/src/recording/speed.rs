use std::str::FromStr;
use std::time::Duration;

/// The pace of a replay.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum ReplaySpeed {
    /// The pauses of the recording, divided by this factor.
    Factor(f64),
    /// No pauses.
    Max,
}

impl ReplaySpeed {
    /// The time from the first event to one that arrived this number of milliseconds later.
    pub(crate) fn pause(self, milliseconds: u64) -> Duration {
        match self {
            Self::Factor(factor) => Duration::from_millis(milliseconds).div_f64(factor),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_speed_divides_the_pauses() {
        for (text, expected) in [("1", 1000), ("2", 500), ("0.5", 2000), ("max", 0)] {
            assert_eq!(text.parse::<ReplaySpeed>().unwrap().pause(1000), Duration::from_millis(expected), "{text}");
        }
        for text in ["0", "-1", "fast", "NaN", "inf", "1e9", ""] {
            assert!(text.parse::<ReplaySpeed>().is_err(), "{text}");
        }
    }
}
