use std::fmt;

use anstyle::{AnsiColor, Style};
use entity_stream_protocol::EntityTypes;
use serde::Deserialize;
use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::terminal::{grouped, printable};

const TIME: Style = Style::new().dimmed();
const CREATED: Style = AnsiColor::Green.on_default();
const UPDATED: Style = AnsiColor::Cyan.on_default();
const DELETED: Style = AnsiColor::Red.on_default();
const ID: Style = Style::new().bold();
/// Characters of one value that are shown.
const VALUE_LENGTH: usize = 72;

#[derive(Deserialize)]
struct CloudEvent<'a> {
    #[serde(rename = "specversion")]
    _version: String,
    #[serde(borrow)]
    data: &'a RawValue,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event<'a> {
    #[serde(rename = "type")]
    kind: String,
    entity_id: String,
    entity_type: EntityTypes,
    #[serde(borrow)]
    data: Option<Attributes<'a>>,
    data_bytes: Option<u64>,
    timestamp: Option<String>,
}

#[derive(Deserialize)]
struct Attribute<'a> {
    #[serde(borrow)]
    value: &'a RawValue,
}

/// An event for people, on one line: when, what, of which type, which entity, and its attributes' values. Colours and
/// all; what is not an event of the contract comes back as it is.
pub(super) fn pretty(text: &str) -> String {
    let inner = serde_json::from_str::<CloudEvent<'_>>(text).map_or(text, |cloud_event| cloud_event.data.get());
    let Ok(event) = serde_json::from_str::<Event<'_>>(inner) else { return printable(text).into_owned() };
    let (style, verb) = match event.kind.as_str() {
        "entityCreated" => (CREATED, "created"),
        "entityDeleted" => (DELETED, "deleted"),
        _ => (UPDATED, "updated"),
    };
    let mut line = format!(
        "{TIME}{}{TIME:#} {style}{verb}{style:#} {} {ID}{}{ID:#}",
        printable(event.timestamp.as_deref().unwrap_or("-")),
        printable(&event.entity_type.display()),
        printable(&event.entity_id),
    );
    for (name, value) in event.data.into_iter().flat_map(|attributes| attributes.0) {
        // The value of an NGSI attribute; other data is shown as it is.
        let shown = serde_json::from_str::<Attribute<'_>>(value.get()).map_or(value.get(), |found| found.value.get());
        line.push_str(&format!(" {TIME}{}={TIME:#}{}", printable(&name), shortened(&printable(shown))));
    }
    if let Some(bytes) = event.data_bytes {
        line.push_str(&format!(" {TIME}(data left out: {} bytes){TIME:#}", grouped(bytes)));
    }
    line
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(VALUE_LENGTH) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// A JSON object's fields in their order, the values untouched.
struct Attributes<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Attributes<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;

        impl<'de> Visitor<'de> for Fields {
            type Value = Vec<(String, &'de RawValue)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(fields)
            }
        }

        deserializer.deserialize_map(Fields).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use entity_stream_protocol::{EntityChange, Format};
    use proptest::prelude::*;

    use super::*;

    fn shown(detail: &str, format: Format) -> String {
        let change = EntityChange::parse(detail).unwrap();
        let message = entity_stream_protocol::Event::new("9c1e", "2026-01-02T03:04:05Z", change).message(format);
        anstream::adapter::strip_str(&pretty(&message)).to_string()
    }

    #[test]
    fn shows_an_event_of_either_format_on_one_line() {
        let detail = r#"{"type":"entityUpdated","tenant":"t","entityId":"urn:1","entityType":["A","B"],
            "data":{"z":{"type":"Number","value":1.0},
            "a":12345678901234567890,"s":"x\ny"}}"#;
        for format in [Format::Json, Format::CloudEvents] {
            assert_eq!(
                shown(detail, format),
                r#"2026-01-02T03:04:05Z updated A, B urn:1 z=1.0 a=12345678901234567890 s="x\ny""#
            );
        }
    }

    #[test]
    fn a_long_value_and_left_out_data_say_so() {
        let long = format!(
            r#"{{"type":"entityCreated","tenant":"t","entityId":"i","entityType":"T","data":{{"x":"{}"}}}}"#,
            "é".repeat(200)
        );
        assert!(shown(&long, Format::Json).ends_with("é…"));
        let huge = long.replace('é', &"x".repeat(1000));
        assert!(shown(&huge, Format::Json).ends_with("(data left out: 200,008 bytes)"));
    }

    #[test]
    fn an_entity_cannot_control_the_terminal() {
        let line = pretty(
            r#"{"type":"entityUpdated","entityId":"\u001b[2J","entityType":"\u0007","data":{"\u001b]0;x":"\u001b"}}"#,
        );
        assert!(!line.contains(['\u{7}']) && !line.contains("\u{1b}[2J") && !line.contains("\u{1b}]"), "{line:?}");
    }

    proptest! {
        #[test]
        fn never_panics_and_is_one_line(text in any::<String>()) {
            prop_assert!(!pretty(&text).contains('\n'));
        }
    }
}
