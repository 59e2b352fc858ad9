//! Times that a broker may have written.

use std::borrow::Cow;

use entity_stream_protocol::limits::TIMESTAMP_LENGTH;
use entity_stream_protocol::{is_rfc3339, json_text, micros_of_rfc3339};
use serde::Deserialize;
use serde_json::value::RawValue;

/// A time in the forms of JSON-LD and of NGSIv2.
#[derive(Deserialize)]
struct TypedTime {
    #[serde(alias = "@value")]
    value: Box<RawValue>,
}

/// The time in a value, in the broker's own spelling: a text, `{"value":…}` or `{"@value":…}`. `None` if it is no date and time
/// of RFC 3339, or longer than an event may carry.
pub(crate) fn time(value: &RawValue) -> Option<Cow<'_, str>> {
    if let Some(text) = json_text(value) {
        return Some(text).filter(|text| text.len() <= TIMESTAMP_LENGTH && is_rfc3339(text));
    }
    if !value.get().starts_with('{') {
        return None;
    }
    let typed: TypedTime = serde_json::from_str(value.get()).ok()?;
    // NGSI-LD nests a typed value in a property.
    let inner = match typed.value.get().starts_with('{') {
        true => serde_json::from_str::<TypedTime>(typed.value.get()).ok()?.value,
        false => typed.value,
    };
    let text = json_text(&inner)?;
    (text.len() <= TIMESTAMP_LENGTH && is_rfc3339(&text)).then(|| Cow::Owned(text.into_owned()))
}

/// The newest of some times.
pub(crate) fn newest<'a>(times: impl IntoIterator<Item = Cow<'a, str>>) -> Option<Cow<'a, str>> {
    times.into_iter().max_by_key(|time| micros_of_rfc3339(time))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_keeps_its_spelling() {
        for (value, expected) in [
            (r#""2026-01-02T03:04:05.678901Z""#, Some("2026-01-02T03:04:05.678901Z")),
            (r#"{"type":"DateTime","value":"2026-01-02T03:04:05.00Z"}"#, Some("2026-01-02T03:04:05.00Z")),
            (
                r#"{"type":"Property","value":{"@type":"DateTime","@value":"2026-01-02T03:04:05+09:00"}}"#,
                Some("2026-01-02T03:04:05+09:00"),
            ),
            (r#""yesterday""#, None),
            (r#"{"value":7}"#, None),
            (r#"{"value":{"value":{"value":"2026-01-02T03:04:05Z"}}}"#, None),
            ("7", None),
            ("[]", None),
            ("{}", None),
        ] {
            let raw: &RawValue = serde_json::from_str(value).unwrap();
            assert_eq!(time(raw).as_deref(), expected, "{value}");
        }
        let long = format!(r#""2026-01-02T03:04:05.{}Z""#, "1".repeat(60));
        let raw: &RawValue = serde_json::from_str(&long).unwrap();
        assert_eq!(time(raw), None, "an event cannot carry it");
    }

    #[test]
    fn the_newest_time_is_found_across_offsets() {
        let times = ["2026-01-02T03:04:05.5Z", "2026-01-02T12:04:06+09:00", "2026-01-02T03:04:05.75Z"];
        assert_eq!(newest(times.map(Cow::from)).as_deref(), Some(times[1]));
        assert_eq!(newest([]), None);
    }
}
