use anyhow::{anyhow, ensure};
use entity_stream_protocol::{InvalidJson, Tenant, UndeliverableChange};
use entity_stream_publisher::{BusEntry, UnpublishableChange};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::bus::change_times::ChangeTimes;

/// The `source` of every event that the command publishes.
pub(crate) const SOURCE: &str = "entity-stream.cli";

/// The event on one line of the input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LineEntry {
    /// The number of the line, from 1.
    pub(crate) line: u64,
    entry: BusEntry,
}

impl AsRef<BusEntry> for LineEntry {
    fn as_ref(&self) -> &BusEntry {
        &self.entry
    }
}

#[derive(Deserialize)]
struct FilledFields<'a> {
    /// Only absent fields are filled in. `null` is a value.
    #[serde(borrow, default, deserialize_with = "present")]
    tenant: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    timestamp: Option<&'a RawValue>,
}

fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    Deserialize::deserialize(deserializer).map(Some)
}

impl LineEntry {
    /// Takes one line of input: the detail of an event of `tenant`. A missing tenant and a missing timestamp are filled in. The
    /// rest of the text stays as it is, because `data` passes through byte for byte.
    pub(crate) fn from_line(text: &str, line: u64, tenant: &Tenant, times: &mut ChangeTimes) -> anyhow::Result<Self> {
        let text = text.trim();
        ensure!(
            text.starts_with('{'),
            "expected one JSON object per line, such as {{\"type\":\"entityUpdated\",\"entityId\":\"urn:1\",\"entityType\":\"Room\",\"data\":{{}}}}"
        );
        let found: FilledFields<'_> =
            serde_json::from_str(text).map_err(|error| readable(&InvalidJson::new(&error)))?;
        let own_tenant = found.tenant.is_none().then(|| format!(r#""tenant":"{tenant}""#));
        let time = if found.timestamp.is_none() { times.next() } else { None };
        let time = time.map(|time| format!(r#""timestamp":"{time}""#));
        let entry = Self::new(with_fields(text, own_tenant.into_iter().chain(time)), line)?;
        if let Some(found) = found.tenant {
            let same = serde_json::from_str::<String>(found.get()).ok().and_then(|name| Tenant::parse(&name).ok());
            ensure!(
                same.as_ref() == Some(tenant),
                "the line has another tenant than `{tenant}`; publish each tenant by itself"
            );
        }
        Ok(entry)
    }

    fn new(detail: String, line: u64) -> anyhow::Result<Self> {
        let entry = BusEntry::change(SOURCE, detail).map_err(|error| match error {
            UnpublishableChange::Undeliverable(UndeliverableChange::Malformed(error)) => readable(&error),
            // The reasons name a field of an event. Here the line is the event.
            other => anyhow!("{}", other.to_string().trim_start_matches("detail.")),
        })?;
        Ok(Self { line, entry })
    }
}

/// The JSON object with more fields at its end, so that the columns in an error are those of the line.
fn with_fields(object: &str, more: impl Iterator<Item = String>) -> String {
    let mut fields = object.strip_suffix('}').unwrap_or(object).to_owned();
    for field in more {
        if !fields.trim_end().ends_with('{') {
            fields.push(',');
        }
        fields.push_str(&field);
    }
    fields.push('}');
    fields
}

/// The reason with the column. The caller reports the number of the line.
fn readable(error: &InvalidJson) -> anyhow::Error {
    match error.column() {
        Some(column) => anyhow!("{} at column {column}", error.reason()),
        None => anyhow!("{}", error.reason()),
    }
}

#[cfg(test)]
mod tests {
    use entity_stream_clock::Clock;
    use entity_stream_protocol::{EntityChange, EpochMillis};
    use entity_stream_publisher::limits::ENTRY_BYTES;
    use proptest::prelude::*;

    use super::*;

    const REST: &str = r#""type":"entityUpdated","entityId":"i","entityType":"T""#;

    fn demo() -> Tenant {
        Tenant::parse("demo").unwrap()
    }

    fn times() -> ChangeTimes {
        ChangeTimes::new(Clock::new(|| EpochMillis::new(1_767_323_045_678)))
    }

    fn read(text: &str) -> anyhow::Result<LineEntry> {
        LineEntry::from_line(text, 7, &demo(), &mut times())
    }

    fn reason(text: &str) -> String {
        read(text).unwrap_err().to_string()
    }

    #[test]
    fn a_missing_tenant_and_time_are_filled_in_and_nothing_else_is_touched() {
        let data = r#"{"b": 1.0, "a":12345678901234567890123,  "e":1E5,"u":"\u00e9"}"#;
        let entry = read(&format!(" {{ {REST},\"data\":{data}}}\r")).unwrap();
        let filled_in = r#""tenant":"demo","timestamp":"2026-01-02T03:04:05.678000Z""#;
        assert_eq!(entry.as_ref().detail(), format!(r#"{{ {REST},"data":{data},{filled_in}}}"#));
        assert_eq!(entry.line, 7);
    }

    #[test]
    fn a_line_keeps_its_own_time() {
        for time in [r#""2020-01-02T03:04:05Z""#, "null"] {
            let text = format!(r#"{{{REST},"timestamp":{time},"tenant":"demo"}}"#);
            assert_eq!(read(&text).unwrap().as_ref().detail(), text);
        }
    }

    #[test]
    fn the_tenant_may_be_in_upper_or_lower_case() {
        let text = format!(r#"{{{REST},"tenant":"DEMO"}}"#);
        assert!(read(&text).unwrap().as_ref().detail().contains(r#""tenant":"DEMO","timestamp":"#));
    }

    #[test]
    fn an_invalid_line_has_a_reason() {
        assert!(reason(&format!(r#"{{{REST},"tenant":"other"}}"#)).contains("another tenant than `demo`"));
        assert!(reason(&format!(r#"{{{REST},"tenant":"a#b"}}"#)).starts_with("tenant: a tenant is 1 to 63"));
        assert!(reason(&format!(r#"{{{REST},"tenant":null}}"#)).contains("tenant: expected a string"));
        assert_eq!(reason("{}"), "missing field `type`");
        assert!(reason("[]").contains("expected one JSON object per line"));
        assert!(reason("{").contains("EOF"));
        assert!(!reason("{").contains("line 1"), "{}", reason("{"));
        assert_eq!(reason(&format!(r#"{{{REST},"data":[1]}}"#)), "data is a JSON object");
        let noon = format!(r#"{{{REST},"timestamp":"noon"}}"#);
        assert_eq!(reason(&noon), "timestamp must be a time with an offset, such as 2026-01-31T12:00:00Z");
        assert!(reason(&format!(r#"{{{REST}}} {{"#)).contains("trailing characters at column"));
        let huge = format!(r#"{{{REST},"data":{{"x":"{}"}}}}"#, "x".repeat(ENTRY_BYTES));
        assert!(reason(&huge).contains("less than 1 MB"));
    }

    proptest! {
        #[test]
        fn never_panics(text in any::<String>(), rest in r#"\{[ ",:a-z{}0-9]{0,30}"#) {
            let _ = (read(&text), read(&rest));
        }

        #[test]
        fn an_accepted_line_has_the_tenant(name in "[a-c]", has in any::<bool>()) {
            let tenant = Tenant::parse("a").unwrap();
            let text = if has { format!(r#"{{"tenant":"{name}",{REST}}}"#) } else { format!("{{{REST}}}") };
            match LineEntry::from_line(&text, 1, &tenant, &mut times()) {
                Ok(entry) => prop_assert_eq!(EntityChange::parse(entry.as_ref().detail()).unwrap().tenant, tenant),
                Err(_) => prop_assert!(has && name != "a"),
            }
        }
    }
}
