use anstyle::{AnsiColor, Style};
use entity_stream_client::Entity;
use entity_stream_protocol::{EpochMillis, EventMessage, EventType, StateNotice, SubscriptionName};

use serde_json::value::RawValue;

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
    let mut line = head(
        &event.timestamp,
        (style, verb),
        &event.entity_type.display(),
        &shown_id(&event.entity_id, &event.service_path),
    );
    if let Some(names) = &event.subscriptions {
        // The characters of a name are harmless.
        let shown = |name: &SubscriptionName| if name.is_default() { "-".to_owned() } else { name.to_string() };
        let names: Vec<String> = names.iter().map(shown).collect();
        line.push_str(&format!(" {TIME}[{}]{TIME:#}", names.join(", ")));
    }
    let attributes = event.data.as_deref().map(|data| Members::of(data).0).unwrap_or_default();
    // Only an entity that is too large has a version and no state.
    let is_too_large =
        event.state == Some(StateNotice::Unavailable) && event.version.is_some() && attributes.is_empty();
    let previous = event.previous.as_deref().map(Members::of).unwrap_or_default();
    let changed = event.changed_attributes.as_deref().unwrap_or_default();
    let has_changed = |name: &str| changed.iter().any(|changed| changed == name);
    // Brokers that send only the changed attributes need no marks.
    let mixed =
        attributes.iter().any(|(name, _)| has_changed(name)) && !attributes.iter().all(|(name, _)| has_changed(name));
    let absent = changed.iter().filter(|name| !attributes.iter().any(|(present, _)| present == *name));
    let absent: Vec<String> = absent.map(|name| format!("{}{}", printable(name), was(previous.get(name)))).collect();
    for (name, value) in attributes {
        let (mark, style) = match has_changed(&name) {
            true if mixed => ("*", CHANGED),
            _ => ("", TIME),
        };
        let former = was(previous.get(&name));
        line.push_str(&format!(" {style}{mark}{}={style:#}{}{TIME}{former}{TIME:#}", printable(&name), shown(value)));
    }
    if !absent.is_empty() {
        line.push_str(&format!(" {TIME}(changed: {}){TIME:#}", shortened(&absent.join(", "))));
    }
    if event.late {
        line.push_str(&format!(" {TIME}(late){TIME:#}"));
    }
    // In an event, `partial` says little: most publishers never send a creation.
    let is_partial = event.partial && event.event_type == EventType::EntitySnapshot;
    if is_too_large {
        line.push_str(&format!(" {TIME}(too large: no state){TIME:#}"));
    } else if is_partial {
        line.push_str(&format!(" {TIME}(partial){TIME:#}"));
    }
    if let Some(bytes) = event.data_bytes {
        line.push_str(&format!(" {TIME}(data left out: {} bytes){TIME:#}", grouped(bytes)));
    }
    line
}

/// A change of a collection of entities for people, on one line: of an entity that has changed, only the attributes that differ.
pub(super) fn pretty_change(entity: &Entity, change: &EntityDifference<'_>) -> String {
    let (types, id) = (entity.types().display(), entity_id(entity));
    let before = match change {
        EntityDifference::Added => {
            return head(entity.timestamp(), (CREATED, "added"), &types, &id) + &attributes(entity);
        }
        // The entity has the time of its last change. That of the removal is not known.
        EntityDifference::Removed { at } => {
            return head(&at.to_rfc3339_millis(), (DELETED, "removed"), &types, &id);
        }
        EntityDifference::From(before) => before,
    };
    let mut line = head(entity.timestamp(), (UPDATED, "updated"), &types, &id);
    let (former, now) = (Members::of(before.data()), Members::of(entity.data()));
    for (name, value) in &now.0 {
        let before = former.get(name);
        if before.map(RawValue::get) != Some(value.get()) {
            let (name, before) = (printable(name), was(before));
            line.push_str(&format!(" {TIME}{name}={TIME:#}{}{TIME}{before}{TIME:#}", shown(value)));
        }
    }
    let removed = former.0.iter().filter(|(name, _)| now.get(name).is_none());
    let removed: Vec<String> =
        removed.map(|(name, value)| format!("{}{}", printable(name), was(Some(value)))).collect();
    if !removed.is_empty() {
        line.push_str(&format!(" {TIME}(removed: {}){TIME:#}", removed.join(", ")));
    }
    line + &partial(entity)
}

/// The attributes of an entity, each after a space, and whether there may be more.
pub(super) fn attributes(entity: &Entity) -> String {
    let show = |(name, value): &(String, &RawValue)| format!(" {TIME}{}={TIME:#}{}", printable(name), shown(value));
    Members::of(entity.data()).0.iter().map(show).collect::<String>() + &partial(entity)
}

fn partial(entity: &Entity) -> String {
    if entity.is_partial() { format!(" {TIME}(partial){TIME:#}") } else { String::new() }
}

/// The id of an entity, with its service path unless that is `/`: entities of several paths can share an id.
pub(super) fn entity_id(entity: &Entity) -> String {
    shown_id(entity.id(), entity.service_path())
}

fn shown_id(id: &str, service_path: &str) -> String {
    if service_path == "/" { id.to_owned() } else { format!("{id} {service_path}") }
}

/// The change of a collection that concerns an entity.
#[derive(Clone, Copy, Debug)]
pub(super) enum EntityDifference<'a> {
    Added,
    From(&'a Entity),
    Removed { at: EpochMillis },
}

fn head(time: &str, (style, verb): (Style, &str), types: &str, id: &str) -> String {
    let (time, types, id) = (printable(time), printable(types), printable(id));
    format!("{TIME}{time}{TIME:#} {style}{verb}{style:#} {types} {ID}{id}{ID:#}")
}

fn shown(value: &RawValue) -> String {
    shortened(&printable(&readable(value)))
}

/// The former value of an attribute, if it is known.
fn was(former: Option<&RawValue>) -> String {
    former.map(|former| format!(" (was {})", shown(former))).unwrap_or_default()
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

    #[test]
    fn former_values_and_an_entity_that_left_are_shown() {
        let event = json!({ "type": "entityUpdated", "id": "1", "tenant": "t", "servicePath": "/", "entityId": "i",
            "entityType": "T", "timestamp": "2026-01-02T03:04:05Z", "data": { "a": 1, "b": 2, "c": 3 },
            "changedAttributes": ["a", "b", "d"],
            "previous": { "a": { "type": "Property", "value": 7, "unitCode": "CEL" }, "d": "x" }, "version": 7, "late": true });
        let shown = |event: &serde_json::Value| {
            anstream::adapter::strip_str(&message(&event.to_string())).to_string().replace("2026-01-02T03:04:05Z ", "")
        };
        assert_eq!(shown(&event), r#"updated T i *a=1 (was 7 °C) *b=2 c=3 (changed: d (was "x")) (late)"#);
        let left = json!({ "type": "entityLeft", "id": "1", "tenant": "t", "servicePath": "/", "entityId": "i",
            "entityType": "T", "timestamp": "2026-01-02T03:04:05Z", "version": 7, "partial": true });
        assert_eq!(shown(&left), "left T i");
        let mut snapshot = event;
        (snapshot["type"], snapshot["partial"]) = (json!("entitySnapshot"), json!(true));
        for field in ["changedAttributes", "previous", "late"] {
            snapshot.as_object_mut().unwrap().remove(field);
        }
        assert_eq!(shown(&snapshot), "is T i a=1 b=2 c=3 (partial)");
    }

    #[test]
    fn a_service_path_and_an_entity_without_a_state_are_shown() {
        let entity = json!({ "type": "entitySnapshot", "id": "1", "tenant": "t", "servicePath": "/madrid", "entityId": "i",
            "entityType": "T", "timestamp": "2026-01-02T03:04:05Z", "data": {}, "version": 7, "partial": true,
            "state": "unavailable" });
        let shown = |event: &serde_json::Value| anstream::adapter::strip_str(&message(&event.to_string())).to_string();
        assert_eq!(shown(&entity), "2026-01-02T03:04:05Z is T i /madrid (too large: no state)");
        let mut event = entity;
        event["type"] = json!("entityUpdated");
        event.as_object_mut().unwrap().remove("version");
        assert_eq!(shown(&event), "2026-01-02T03:04:05Z updated T i /madrid");
    }

    #[test]
    fn a_change_of_a_collection_shows_what_differs() {
        let known = |data: serde_json::Value, path: &str, partial: bool| {
            let message = json!({ "type": "entitySnapshot", "id": "1", "tenant": "t", "servicePath": path, "entityId": "i",
                "entityType": "T", "timestamp": "2026-01-02T03:04:05Z", "data": data, "version": 1, "partial": partial });
            Entity::of(ServerMessage::parse(&message.to_string()).unwrap().event().unwrap())
        };
        let shown = |entity: &Entity, change: EntityDifference<'_>| {
            let line = anstream::adapter::strip_str(&pretty_change(entity, &change)).to_string();
            line.replace("2026-01-02T03:04:05Z ", "")
        };
        let entity = |data| known(data, "/", false);
        let (before, after) = (entity(json!({ "a": 1, "b": 2, "c": 3 })), entity(json!({ "b": 2, "c": 4, "d": "x" })));
        assert_eq!(shown(&before, EntityDifference::Added), "added T i a=1 b=2 c=3");
        let expected = r#"updated T i c=4 (was 3) d="x" (removed: a (was 1))"#;
        assert_eq!(shown(&after, EntityDifference::From(&before)), expected);
        let at = EpochMillis::from_rfc3339("2026-01-02T03:05:06.789Z").unwrap();
        let removed = shown(&after, EntityDifference::Removed { at });
        assert_eq!(removed, "2026-01-02T03:05:06.789Z removed T i", "not the time of the change before");
        let (before, after) = (known(json!({ "a": 1 }), "/x", true), known(json!({ "a": 2 }), "/x", true));
        assert_eq!(shown(&before, EntityDifference::Added), "added T i /x a=1 (partial)");
        assert_eq!(shown(&after, EntityDifference::From(&before)), "updated T i /x a=2 (was 1) (partial)");
    }

    proptest! {
        #[test]
        fn an_entity_cannot_control_the_terminal(texts: [String; 5]) {
            let [id, entity_type, name, value, time] = texts;
            let frame = json!({ "type": "entityUpdated", "id": "1", "tenant": "t", "servicePath": "/",
                "entityId": id, "entityType": format!("T{entity_type}"), "data": { name.as_str(): value.as_str() },
                "previous": { name.as_str(): value.as_str() }, "changedAttributes": [name, value], "timestamp": time });
            let line = message(&frame.to_string());
            let plain = anstream::adapter::strip_str(&line).to_string();
            prop_assert!(!plain.contains(char::is_control), "{plain:?}");
        }
    }
}
