use std::borrow::Cow;

use jiff::SignedDuration;

use crate::rfc3339::{has_form, parse_rfc3339};

/// A date or a time in a query, or in a value that is compared with one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Moment {
    /// A date and time, as the time since 1970 in UTC; a date is its midnight.
    Instant(SignedDuration),
    /// A time of day, as the time since midnight in UTC. With an offset, it may be before midnight.
    TimeOfDay(SignedDuration),
}

impl Moment {
    /// Reads `2026-01-02T03:04:05.678+09:00`, `2026-01-02` or `03:04:05.678Z`. A text without `Z` or an offset is in
    /// UTC. The fraction may follow a comma.
    ///
    /// Source: ETSI GS CIM 009 V1.9.1, clause 4.6.3, has ISO 8601 in UTC with `Z`; NGSIv2 has offsets too.
    pub(super) fn parse(text: &str) -> Option<Self> {
        const DATE: &[u8] = b"0000-00-00";
        const TIME: &[u8] = b"00:00:00";
        /// The longest text: a date and time with nine digits of the fraction and an offset.
        const LENGTH: usize = "2026-01-02T03:04:05.123456789+09:00".len();
        let bytes = text.as_bytes();
        if !(TIME.len()..=LENGTH).contains(&bytes.len()) || !bytes[0].is_ascii_digit() {
            return None;
        }
        if has_form(bytes, DATE) {
            return parse_rfc3339(&format!("{text}T00:00:00Z")).map(Self::Instant);
        }
        let in_utc = |text: &str| parse_rfc3339(text).or_else(|| parse_rfc3339(&format!("{text}Z")));
        let text = if text.contains(',') { Cow::Owned(text.replacen(',', ".", 1)) } else { Cow::Borrowed(text) };
        if has_form(&bytes[..TIME.len()], TIME) {
            in_utc(&format!("1970-01-01T{text}")).map(Self::TimeOfDay)
        } else if bytes.get(..DATE.len()).is_some_and(|date| has_form(date, DATE)) {
            in_utc(&text).map(Self::Instant)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_times_are_instants() {
        let instant = Moment::parse("2026-01-02T03:04:05Z");
        assert!(matches!(instant, Some(Moment::Instant(_))));
        for text in
            ["2026-01-02T03:04:05", "2026-01-02T12:04:05+09:00", "2026-01-02T03:04:05.000Z", "2026-01-02T03:04:05,0"]
        {
            assert_eq!(Moment::parse(text), instant, "{text}");
        }
        assert_eq!(Moment::parse("2026-01-02"), Moment::parse("2026-01-02T00:00:00Z"));
        assert_eq!(Moment::parse("12:00:00"), Moment::parse("12:00:00.0Z"));
        assert!(matches!(Moment::parse("12:00:00"), Some(Moment::TimeOfDay(_))));
        assert_eq!(Moment::parse("12:00:00"), Moment::parse("13:00:00+01:00"));
    }

    #[test]
    fn other_texts_are_no_moments() {
        for text in [
            "",
            "2026",
            "20260102",
            "2026-13-02",
            "2026-01-02T",
            "2026-01-02T03:04",
            "25:00:00",
            "12:00",
            "12:00:00+1:00",
            "2026-01-02T03:04:05ZZ",
            "2026-01-02 03:04:05Z",
            "\u{e9}2:00:00",
            "1\u{e9}:00:00",
            "12:00:0\u{e9}",
        ] {
            assert_eq!(Moment::parse(text), None, "{text}");
        }
    }
}
