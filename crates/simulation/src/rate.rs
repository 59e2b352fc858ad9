use std::str::FromStr;

/// Events per second: from 0.001 to 10,000.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate(f64);

/// A rate outside the range, or a text that is not a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a rate is a number of events per second, from 0.001 to 10000")]
pub struct InvalidRate;

impl Rate {
    /// This many events per second.
    ///
    /// # Errors
    /// [`InvalidRate`] outside the range, and for NaN.
    pub fn new(per_second: f64) -> Result<Self, InvalidRate> {
        if (0.001..=10_000.0).contains(&per_second) { Ok(Self(per_second)) } else { Err(InvalidRate) }
    }

    /// The number of events per second.
    pub fn per_second(self) -> f64 {
        self.0
    }
}

impl FromStr for Rate {
    type Err = InvalidRate;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map_err(|_| InvalidRate).and_then(Self::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_a_number_from_0_001_to_10000() {
        for text in ["1", "0.001", "1e3", "10000"] {
            assert!(text.parse::<Rate>().is_ok(), "{text}");
        }
        for text in ["0", "-1", "nan", "inf", "10001", "", "fast", "1e-300"] {
            assert_eq!(text.parse::<Rate>(), Err(InvalidRate), "{text}");
        }
    }
}
