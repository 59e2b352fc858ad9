//! Parsers for arguments that several commands take.

use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use entity_stream_simulation::NgsiFormat;
use jiff::SignedDuration;

/// The longest duration, which stands for "never".
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Reads a number of events.
pub(crate) fn count(text: &str) -> Result<u64, String> {
    let count = text.parse().ok().filter(|count| *count > 0);
    count.ok_or_else(|| "expected a whole number of at least 1".to_owned())
}

/// Reads a duration.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let form = "expected a number with its unit, such as 500ms, 90s, 10m or 1h30m";
    let duration = text.parse::<SignedDuration>().map_err(|_| form.to_owned())?;
    let valid = Duration::try_from(duration).ok().filter(|duration| !duration.is_zero() && *duration <= LONGEST);
    valid.ok_or_else(|| "expected a time of more than 0 and at most a year".to_owned())
}

/// Reads the NGSI format of simulated events. The names appear in the help and in the completions of shells.
pub(crate) fn ngsi_format() -> impl TypedValueParser<Value = NgsiFormat> {
    PossibleValuesParser::new(NgsiFormat::ALL.map(NgsiFormat::as_str)).try_map(|name| name.parse::<NgsiFormat>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_has_a_unit_and_an_end() {
        assert_eq!(duration("10m"), Ok(Duration::from_secs(600)));
        assert_eq!(duration("1h30m"), Ok(Duration::from_secs(90 * 60)));
        assert_eq!(duration("250 ms"), Ok(Duration::from_millis(250)));
        for text in ["", "10", "0s", "-1s", "soon", "365d", "9000h", "1 year"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_count_is_at_least_one() {
        assert_eq!(count("12"), Ok(12));
        for text in ["0", "-1", "1.5", "", "many"] {
            assert!(count(text).is_err(), "{text}");
        }
    }
}
