use anstyle::{AnsiColor, Style};
use entity_stream_protocol::{EventMessage, EventType, SubscriptionName};

use super::value::{Members, readable};
use crate::terminal::{grouped, printable};

const TIME: Style = Style::new().dimmed();
const CREATED: Style = AnsiColor::Green.on_default();
const UPDATED: Style = AnsiColor::Cyan.on_default();
const DELETED: Style = AnsiColor::Red.on_default();
const LEFT: Style = AnsiColor::Magenta.on_default();
const SNAPSHOT: Style = AnsiColor::Blue.on_default();
const ID: Style = Style::new().bold();
const CHANGED: Style = AnsiColor::Yellow.on_default().bold();
/// The longest part of a value that is shown, in characters.
const VALUE_LENGTH: usize = 72;

/// An event for people, on one line: the time, the change, the type, the entity, the subscriptions that have a
/// name, and the values of its attributes.
pub(super) fn pretty(event: &EventMessage<'_>) -> String {
    let (style, verb) = match event.event_type {
        EventType::EntityCreated => (CREATED, "created"),
        EventType::EntityUpdated => (UPDATED, "updated"),
        EventType::EntityDeleted => (DELETED, "deleted"),
        EventType::EntityLeft => (LEFT, "left"),
        EventType::EntitySnapshot => (SNAPSHOT, "is"),
    };
    let mut line = format!(
        "{TIME}{}{TIME:#} {style}{verb}{style:#} {} {ID}{}{ID:#}",
        printable(&event.timestamp),
        printable(&event.entity_type.display()),
        printable(&event.entity_id),
    );
    if let Some(names) = &event.subscriptions {
        // The characters of a name are harmless.
        let shown = |name: &SubscriptionName| if name.is_default() { "-".to_owned() } else { name.to_string() };
        let names: Vec<String> = names.iter().map(shown).collect();
        line.push_str(&format!(" {TIME}[{}]{TIME:#}", names.join(", ")));
    }
    let attributes = event.data.as_deref().map(|data| Members::of(data).0).unwrap_or_default();
    let changed = event.changed_attributes.as_deref().unwrap_or_default();
    let has_changed = |name: &str| changed.iter().any(|changed| changed == name);
    // Brokers that send only the changed attributes need no marks.
    let mixed =
        attributes.iter().any(|(name, _)| has_changed(name)) && !attributes.iter().all(|(name, _)| has_changed(name));
    let absent = changed.iter().filter(|name| !attributes.iter().any(|(present, _)| present == *name));
    let absent: Vec<String> = absent.map(|name| printable(name).into_owned()).collect();
    for (name, value) in attributes {
        let (mark, style) = match has_changed(&name) {
            true if mixed => ("*", CHANGED),
            _ => ("", TIME),
        };
        let (name, value) = (printable(&name), readable(value));
        let value = printable(&value);
        line.push_str(&format!(" {style}{mark}{name}={style:#}{}", shortened(&value)));
    }
    if !absent.is_empty() {
        line.push_str(&format!(" {TIME}(changed: {}){TIME:#}", shortened(&absent.join(", "))));
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

#[cfg(test)]
mod tests {
    use entity_stream_protocol::{EntityChange, Event, Format, MessageForm, ServerMessage};
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn message(frame: &str) -> String {
        pretty(ServerMessage::parse(frame).unwrap().event().unwrap())
    }

    fn shown(detail: &str, format: Format) -> String {
        let change = EntityChange::parse(detail).unwrap();
        let frame = Event::new("9c1e", "2026-01-02T03:04:05Z", change).message(&format.into());
        anstream::adapter::strip_str(&message(&frame)).to_string()
    }

    #[test]
    fn an_event_of_either_format_is_one_line() {
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
    fn changed_attributes_are_marked_unless_all_have_changed() {
        let with = |data: &str, changed: &str| {
            let rest = r#""type":"entityUpdated","tenant":"t","entityId":"i","entityType":"T""#;
            format!(r#"{{{rest},"data":{data},"changedAttributes":{changed}}}"#)
        };
        let text = |data, changed| {
            shown(&with(data, changed), Format::Json).split_once(" T i").map(|(_, text)| text.to_owned()).unwrap()
        };
        assert_eq!(text(r#"{"a":1,"b":2}"#, r#"["b"]"#), " a=1 *b=2");
        assert_eq!(text(r#"{"a":1,"b":2}"#, r#"["a","b"]"#), " a=1 b=2");
        assert_eq!(text(r#"{"a":1}"#, "[]"), " a=1");
        assert_eq!(text(r#"{"a":1}"#, r#"["x","\u001b[2J"]"#), " a=1 (changed: x, \u{fffd}[2J)");
        let change = EntityChange::parse(&with(r#"{"a":1,"b":2}"#, r#"["b"]"#)).unwrap();
        let coloured = message(&Event::new("1", "2026-01-02T03:04:05Z", change).message(&Format::Json.into()));
        assert!(coloured.contains(&format!("{CHANGED}*b={CHANGED:#}2")), "{coloured:?}");
    }

    #[test]
    fn a_long_value_is_cut_and_truncated_data_has_its_size() {
        let long = format!(
            r#"{{"type":"entityCreated","tenant":"t","entityId":"i","entityType":"T","data":{{"x":"{}"}}}}"#,
            "é".repeat(200)
        );
        assert!(shown(&long, Format::Json).ends_with("é…"));
        let huge = long.replace('é', &"x".repeat(1000));
        assert!(shown(&huge, Format::Json).ends_with("(data left out: 200,008 bytes)"));
    }

    #[test]
    fn the_subscriptions_are_named_if_there_are_several() {
        let detail = r#"{"type":"entityUpdated","tenant":"t","entityId":"i","entityType":"T","data":{"a":1}}"#;
        let event = Event::new("1", "2026-01-02T03:04:05Z", EntityChange::parse(detail).unwrap());
        let subscriptions = vec![SubscriptionName::DEFAULT, "map".parse().unwrap()];
        let frame = event.message(&MessageForm { subscriptions, ..MessageForm::default() });
        let line = anstream::adapter::strip_str(&message(&frame)).to_string();
        assert_eq!(line, "2026-01-02T03:04:05Z updated T i [-, map] a=1");
    }

    proptest! {
        #[test]
        fn an_entity_cannot_control_the_terminal(texts: [String; 5]) {
            let [id, entity_type, name, value, time] = texts;
            let frame = json!({ "type": "entityUpdated", "id": "1", "tenant": "t", "servicePath": "/",
                "entityId": id, "entityType": format!("T{entity_type}"), "data": { name.as_str(): value.as_str() },
                "changedAttributes": [name, value], "timestamp": time });
            let line = message(&frame.to_string());
            let plain = anstream::adapter::strip_str(&line).to_string();
            prop_assert!(!plain.contains(char::is_control), "{plain:?}");
        }
    }
}
