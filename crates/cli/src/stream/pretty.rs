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
const CHANGED: Style = AnsiColor::Yellow.on_default().bold();
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
    #[serde(default)]
    changed_attributes: Vec<String>,
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
    let attributes = event.data.map(|data| data.0).unwrap_or_default();
    let has_changed = |name: &str| event.changed_attributes.iter().any(|changed| changed == name);
    // Where everything that is there has changed, as brokers publish it that send the changes alone, no mark says more.
    let mixed =
        attributes.iter().any(|(name, _)| has_changed(name)) && !attributes.iter().all(|(name, _)| has_changed(name));
    let gone = event.changed_attributes.iter().filter(|name| !attributes.iter().any(|(there, _)| there == *name));
    let gone: Vec<String> = gone.map(|name| printable(name).into_owned()).collect();
    for (name, value) in attributes {
        // The value of an NGSI attribute; other data is shown as it is.
        let shown = serde_json::from_str::<Attribute<'_>>(value.get()).map_or(value.get(), |found| found.value.get());
        let (mark, style) = match has_changed(&name) {
            true if mixed => ("*", CHANGED),
            _ => ("", TIME),
        };
        let (name, value) = (printable(&name), printable(shown));
        line.push_str(&format!(" {style}{mark}{name}={style:#}{}", shortened(&value)));
    }
    if !gone.is_empty() {
        line.push_str(&format!(" {TIME}(changed: {}){TIME:#}", shortened(&gone.join(", "))));
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
    fn what_changed_is_marked_where_not_everything_has() {
        let with = |data: &str, changed: &str| {
            let rest = r#""type":"entityUpdated","tenant":"t","entityId":"i","entityType":"T""#;
            let text = shown(&format!(r#"{{{rest},"data":{data},"changedAttributes":{changed}}}"#), Format::Json);
            text.split_once(" T i").unwrap().1.to_owned()
        };
        assert_eq!(with(r#"{"a":1,"b":2}"#, r#"["b"]"#), " a=1 *b=2");
        assert_eq!(with(r#"{"a":1,"b":2}"#, r#"["a","b"]"#), " a=1 b=2");
        assert_eq!(with(r#"{"a":1}"#, "[]"), " a=1");
        assert_eq!(with(r#"{"a":1}"#, r#"["x","\u001b[2J"]"#), " a=1 (changed: x, \u{fffd}[2J)");
        let coloured = pretty(
            r#"{"type":"entityUpdated","entityId":"i","entityType":"T","data":{"a":1,"b":2},"changedAttributes":["b"]}"#,
        );
        assert!(coloured.contains(&format!("{CHANGED}*b={CHANGED:#}2")), "{coloured:?}");
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
