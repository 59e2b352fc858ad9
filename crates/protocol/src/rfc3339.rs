use jiff::SignedDuration;
use jiff::civil::DateTime;

const UNIX_EPOCH: DateTime = DateTime::constant(1970, 1, 1, 0, 0, 0, 0);

/// Returns true if the text is a date and time of RFC 3339, section 5.6.
pub fn is_rfc3339(text: &str) -> bool {
    parse_rfc3339(text).is_some()
}

/// The microseconds from 1970 to a date and time of RFC 3339, section 5.6, in UTC. `None` if the text has another form.
pub fn micros_of_rfc3339(text: &str) -> Option<i64> {
    i64::try_from(parse_rfc3339(text)?.as_micros()).ok()
}

/// The date and time of RFC 3339, in UTC, of the microseconds from 1970. `None` if it is not in the years 0000 to 9999.
pub fn rfc3339_of_micros(micros: i64) -> Option<String> {
    let time = UNIX_EPOCH.checked_add(SignedDuration::from_micros(micros)).ok()?;
    (time.year() >= 0).then(|| time.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string())
}

/// Reads a date and time of RFC 3339, section 5.6, as the time since 1970 in UTC. The years are 0000 to 9999, of which the last
/// hours are often "never". A leap second is the second after it, so the order of times stays.
///
/// The library also accepts forms of ISO 8601 that RFC 3339 does not have, such as `20260102T030405Z` or an offset without
/// minutes, and its own type of instants ends before 9999. So this function compares the form, and the library reads the
/// calendar.
pub(crate) fn parse_rfc3339(text: &str) -> Option<SignedDuration> {
    const FORM: &[u8] = b"0000-00-00T00:00:00";
    let (time, rest) = text.split_at_checked(FORM.len())?;
    let offset = match rest.strip_prefix('.') {
        Some(fraction) if fraction.starts_with(|c: char| c.is_ascii_digit()) => {
            fraction.trim_start_matches(|c: char| c.is_ascii_digit())
        }
        Some(_) => return None,
        None => rest,
    };
    let seconds_ahead = offset_seconds(offset)?;
    if !has_form(time.as_bytes(), FORM) {
        return None;
    }
    let local: DateTime = text.strip_suffix(offset)?.parse().ok()?;
    // The library reads the second 60 as 59.
    let leap_second = i64::from(time.ends_with("60"));
    local.duration_since(UNIX_EPOCH).checked_add(SignedDuration::from_secs(leap_second - seconds_ahead))
}

/// The seconds by which an offset from UTC is ahead of it. `None` if the text is no offset of RFC 3339.
fn offset_seconds(offset: &str) -> Option<i64> {
    let (sign, digits) = match offset.as_bytes() {
        [b'Z' | b'z'] => return Some(0),
        [b'+', digits @ ..] => (1, digits),
        [b'-', digits @ ..] => (-1, digits),
        _ => return None,
    };
    let [hours @ .., b':', tens, ones] = digits else { return None };
    if !has_form(digits, b"00:00") || hours >= &b"24"[..] || *tens > b'5' {
        return None;
    }
    let number = |tens: u8, ones: u8| i64::from(tens - b'0') * 10 + i64::from(ones - b'0');
    Some(sign * (number(digits[0], digits[1]) * 3600 + number(*tens, *ones) * 60))
}

/// Returns true if the text has a digit in each place where the form has `0`, and the form's letters and signs in all others.
pub(crate) fn has_form(text: &[u8], form: &[u8]) -> bool {
    let alike =
        |(byte, form): (&u8, &u8)| if *form == b'0' { byte.is_ascii_digit() } else { byte.eq_ignore_ascii_case(form) };
    text.len() == form.len() && text.iter().zip(form).all(alike)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_rfc_3339_only() {
        for text in [
            "2026-01-02T03:04:05Z",
            "2026-01-02t03:04:05.678z",
            "2026-01-02T03:04:05+02:00",
            "2026-01-02T03:04:05.1-23:59",
            "2024-02-29T23:59:60Z",
            "1937-01-01T12:00:27.87+00:20",
            "0000-01-01T00:00:00Z",
            "9999-12-31T23:59:59.999999999-23:59",
        ] {
            assert!(is_rfc3339(text), "{text}");
        }
        for text in [
            "",
            "yesterday",
            "2026-01-02",
            "2026-01-02T03:04:05",
            "2026-01-02 03:04:05Z",
            "2026-01-02T03:04Z",
            "20260102T030405Z",
            "2026-01-02T03:04:05,5Z",
            "2026-01-02T03:04:05.Z",
            "2026-01-02T03:04:05+02",
            "2026-01-02T03:04:05+0200",
            "2026-01-02T03:04:05+24:00",
            "2026-01-02T03:04:05+23:60",
            "2026-01-02T03:04:61Z",
            "2026-01-02T03:04:05+2:000",
            "2026-01-02T03:04:05+02:00[Europe/Berlin]",
            "2026-02-30T03:04:05Z",
            "2026-01-02T24:04:05Z",
            "2026-01-02T03:04:05Zé",
            "2026-01-02T03:04:0é5Z",
        ] {
            assert!(!is_rfc3339(text), "{text}");
        }
    }

    #[test]
    fn microseconds_are_a_time_and_back() {
        for text in ["2026-01-02T03:04:05.678001Z", "0000-01-01T00:00:00.000000Z", "9999-12-31T23:59:59.999999Z"] {
            assert_eq!(rfc3339_of_micros(micros_of_rfc3339(text).unwrap()).as_deref(), Some(text));
        }
        for text in ["0000-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z"] {
            let step = if text.starts_with('0') { -1 } else { 1 };
            assert_eq!(rfc3339_of_micros(micros_of_rfc3339(text).unwrap() + step), None);
        }
        assert_eq!((rfc3339_of_micros(i64::MIN), rfc3339_of_micros(i64::MAX)), (None, None));
    }

    #[test]
    fn times_keep_their_order_in_leap_seconds_and_at_the_ends_of_the_calendar() {
        let times = [
            "0000-01-01T00:00:00+23:59",
            "0000-01-01T00:00:00Z",
            "1969-12-31T23:59:59.5Z",
            "2016-12-31T23:59:59Z",
            "2016-12-31T23:59:59.5Z",
            "2016-12-31T23:59:60Z",
            "2017-01-01T00:00:00.5Z",
            "9999-12-31T23:59:59.999999999Z",
            "9999-12-31T23:59:59-23:59",
        ];
        assert!(times.map(|text| parse_rfc3339(text).unwrap()).is_sorted_by(|one, other| one < other));
        let millis = |text| parse_rfc3339(text).unwrap().as_millis();
        assert_eq!(millis("1969-12-31T23:59:59.5Z"), -500);
        assert_eq!(millis("2016-12-31T23:59:60Z"), millis("2017-01-01T00:00:00Z"));
        assert_eq!(millis("2026-01-02T12:04:05+09:00"), millis("2026-01-02T03:04:05Z"));
        assert_eq!(millis("2026-01-01T22:04:05-05:00"), millis("2026-01-02T03:04:05Z"));
    }
}
