use jiff::Timestamp;

/// Returns true if the text is a date and time of RFC 3339, section 5.6.
pub fn is_rfc3339(text: &str) -> bool {
    parse_rfc3339(text).is_some()
}

/// Reads a date and time of RFC 3339, section 5.6. The parser also accepts forms of ISO 8601 that RFC 3339 does not have, such as
/// `20260102T030405Z` or an offset without minutes. So this function compares the form first.
pub(crate) fn parse_rfc3339(text: &str) -> Option<Timestamp> {
    const FORM: &[u8] = b"0000-00-00T00:00:00";
    let (time, rest) = text.split_at_checked(FORM.len())?;
    let rest = match rest.strip_prefix('.') {
        Some(fraction) if fraction.starts_with(|c: char| c.is_ascii_digit()) => {
            fraction.trim_start_matches(|c: char| c.is_ascii_digit())
        }
        Some(_) => return None,
        None => rest,
    };
    let offset_is_well_formed = match rest.as_bytes() {
        [b'Z' | b'z'] => true,
        [b'+' | b'-', offset @ ..] => has_form(offset, b"00:00") && offset < &b"24"[..],
        _ => false,
    };
    if has_form(time.as_bytes(), FORM) && offset_is_well_formed { text.parse().ok() } else { None }
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
}
