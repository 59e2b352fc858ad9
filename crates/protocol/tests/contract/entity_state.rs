//! What the state of an entity adds to messages: each form is described by its schema, and has the text of the contract.

use entity_stream_protocol::{
    EntityChange, EntityStates, Event, Format, FormerState, MessageForm, Position, Representation, Revision,
    SnapshotToken, SubscriptionName, View,
};
use proptest::prelude::*;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::history::position;
use crate::round_trips::{entity_change, json_object};
use crate::schemas::{assert_described, assert_valid, is_valid};

/// Any token of a snapshot.
pub(crate) fn token() -> impl Strategy<Value = SnapshotToken> {
    prop_oneof![
        "[!-~]{1,40}".prop_map(|text| SnapshotToken::parse(text).unwrap()),
        Just(SnapshotToken::parse("~".repeat(4096)).unwrap()),
    ]
}

/// Any effect of a change on a state.
pub(crate) fn revision() -> impl Strategy<Value = Revision> {
    let previous = prop::option::of(json_object().prop_map(|object| raw(&object.to_string())));
    (any::<u64>(), any::<bool>(), any::<bool>(), previous)
        .prop_map(|(version, is_late, is_partial, previous)| Revision { version, is_late, is_partial, previous })
}

fn raw(json: &str) -> Box<RawValue> {
    RawValue::from_string(json.to_owned()).unwrap()
}

fn form(format: Format, has_left: bool) -> MessageForm {
    MessageForm {
        format,
        view: View::new(["x", "y"], Representation::KeyValues).unwrap().with_state(true, true),
        subscriptions: vec![SubscriptionName::DEFAULT, SubscriptionName::parse("map").unwrap()],
        has_left,
    }
}

/// The schema of a message about an entity.
fn schema(message: &Value) -> &'static str {
    match message["type"].as_str().unwrap() {
        "entityLeft" => "entity-left",
        "entitySnapshot" => "entity-snapshot",
        _ => "event",
    }
}

/// Fails if the schemas do not describe a message in both formats, whole and truncated.
fn assert_is_described(event: &Event, has_left: bool) {
    for form in [form(Format::Json, has_left), MessageForm { has_left, ..MessageForm::default() }] {
        for text in [event.message(&form), event.truncated_message(&form)] {
            let message: Value = serde_json::from_str(&text).unwrap();
            let schema = schema(&message);
            assert_valid(schema, &message);
            assert_valid("server-message", &message);
            assert_described(schema, &message);
        }
    }
    let wrapped =
        [event.message(&form(Format::CloudEvents, has_left)), event.truncated_message(&Format::CloudEvents.into())];
    for text in &wrapped {
        let message: Value = serde_json::from_str(text).unwrap();
        assert_valid("cloudevent", &message);
        assert_valid("server-message", &message);
        assert_eq!(message["type"], message["data"]["type"]);
    }
    let frame: Value =
        serde_json::from_str(&format!(r#"{{"type":"events","events":[{}]}}"#, wrapped.join(","))).unwrap();
    assert_valid("events", &frame);
}

proptest! {
    #[test]
    fn every_message_about_an_entity_is_described(
        change in entity_change(),
        revision in prop::option::of(revision()),
        after in prop::option::of(json_object()),
        position in prop::option::of(position()),
        is_snapshot: bool,
        has_left: bool,
    ) {
        let mut event = Event::new("9c1e", "2026-01-02T03:04:05Z", change);
        match revision {
            Some(revision) if !is_snapshot => {
                let after = after.map(|object| raw(&object.to_string()));
                event.revise(revision, EntityStates { before: FormerState::Unknown, after, may_be_repeated: true });
            }
            // A snapshot shows no change.
            Some(revision) => event = event.revised(Some(Revision { is_late: false, previous: None, ..revision })),
            None => event.set_without_state(),
        }
        let has_state = event.revision().is_some();
        if is_snapshot {
            event = event.into_snapshot();
        } else if let Some(position) = position {
            event = event.at(position);
        }
        // Only an entity with a state leaves.
        assert_is_described(&event, has_left && has_state && !is_snapshot);
    }
}

fn event(change_type: &str, fields: &Value) -> Event {
    let mut detail = json!({ "type": change_type, "tenant": "t", "entityId": "i", "entityType": "T" });
    detail.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    Event::new("9c1e", "2026-01-02T03:04:05Z", EntityChange::parse(&detail.to_string()).unwrap())
}

fn revised(mut event: Event, is_late: bool, previous: Option<&str>, after: Option<&str>) -> Event {
    let revision = Revision { version: 7, is_late, is_partial: false, previous: previous.map(raw) };
    event
        .revise(revision, EntityStates { before: FormerState::Unknown, after: after.map(raw), may_be_repeated: false });
    event
}

const ENVELOPE: &str = r#""id":"9c1e","tenant":"t","servicePath":"/","entityId":"i","entityType":"T","#;

#[test]
fn messages_have_the_text_of_the_contract() {
    let update = || event("entityUpdated", &json!({ "data": { "x": 2 }, "changedAttributes": ["x"] }));
    let whole = MessageForm { view: View::default().with_state(true, true), ..MessageForm::default() };
    let left = MessageForm { has_left: true, ..MessageForm::default() };
    let time = r#""timestamp":"2026-01-02T03:04:05Z""#;
    for (event, form, text) in [
        (
            revised(update(), false, Some(r#"{"x":1}"#), Some(r#"{"x":2,"y":3}"#)),
            &whole,
            format!(
                r#"{{"type":"entityUpdated",{ENVELOPE}"data":{{"x":2,"y":3}},"changedAttributes":["x"],"previous":{{"x":1}},{time},"version":7}}"#
            ),
        ),
        (
            revised(update(), false, Some(r#"{"x":1}"#), Some(r#"{"x":2,"y":3}"#)),
            &MessageForm::default(),
            format!(
                r#"{{"type":"entityUpdated",{ENVELOPE}"data":{{"x":2}},"changedAttributes":["x"],{time},"version":7}}"#
            ),
        ),
        (
            revised(update(), true, None, Some(r#"{"x":4}"#)).at(Position::parse("0a").unwrap()),
            &whole,
            format!(
                r#"{{"type":"entityUpdated",{ENVELOPE}"data":{{"x":4}},"changedAttributes":["x"],{time},"position":"0a","version":7,"late":true}}"#
            ),
        ),
        (
            revised(update(), false, Some(r#"{"x":1}"#), Some(r#"{"x":2}"#)),
            &left,
            format!(r#"{{"type":"entityLeft",{ENVELOPE}{time},"version":7}}"#),
        ),
        // A view of the whole entity shows a change that is late as the entity is now.
        (
            revised(event("entityCreated", &json!({ "data": { "x": 1 } })), true, None, Some(r#"{"x":4}"#)),
            &whole,
            format!(r#"{{"type":"entityUpdated",{ENVELOPE}"data":{{"x":4}},{time},"version":7,"late":true}}"#),
        ),
        (
            revised(event("entityDeleted", &json!({})), true, None, Some(r#"{"x":4}"#)),
            &whole,
            format!(r#"{{"type":"entityUpdated",{ENVELOPE}"data":{{"x":4}},{time},"version":7,"late":true}}"#),
        ),
        (
            revised(update(), true, None, None),
            &whole,
            format!(r#"{{"type":"entityDeleted",{ENVELOPE}"data":{{}},{time},"version":7,"late":true}}"#),
        ),
        (
            update()
                .revised(Some(Revision { version: 7, is_late: false, is_partial: true, previous: None }))
                .into_snapshot(),
            &MessageForm::default(),
            format!(r#"{{"type":"entitySnapshot",{ENVELOPE}"data":{{"x":2}},{time},"version":7,"partial":true}}"#),
        ),
    ] {
        assert_eq!(event.message(form), text);
    }
    let mut unavailable = update();
    unavailable.set_without_state();
    let text = format!(
        r#"{{"type":"entityUpdated",{ENVELOPE}"data":{{"x":2}},"changedAttributes":["x"],{time},"state":"unavailable"}}"#
    );
    assert_eq!(unavailable.message(&whole), text);
}

#[test]
fn the_schemas_refuse_other_messages_about_entities() {
    let with = |message_type: &str, fields: Value| {
        let mut message = json!({
            "type": message_type, "id": "1", "tenant": "t", "servicePath": "/", "entityId": "i", "entityType": "T",
            "timestamp": "x",
        });
        message.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        message
    };
    assert_valid("server-message", &with("entityLeft", json!({ "version": 1 })));
    assert_valid("server-message", &with("entitySnapshot", json!({ "data": {}, "version": 1 })));
    assert_valid("server-message", &with("entityUpdated", json!({ "data": {}, "version": 1, "late": true })));
    for message in [
        with("entityLeft", json!({})),
        with("entityLeft", json!({ "version": 1, "data": {} })),
        with("entityLeft", json!({ "version": 1, "changedAttributes": ["x"] })),
        with("entityLeft", json!({ "version": "1" })),
        with("entitySnapshot", json!({ "version": 1 })),
        with("entitySnapshot", json!({ "data": {}, "version": 1, "previous": {} })),
        with("entitySnapshot", json!({ "data": {}, "version": 1, "state": "unavailable" })),
        with("entitySnapshot", json!({ "data": { "x": 1 }, "version": 1, "truncated": true, "dataBytes": 7 })),
        with("entityUpdated", json!({ "data": {}, "version": -1 })),
        with("entityUpdated", json!({ "data": {}, "version": 1, "late": false })),
        with("entityUpdated", json!({ "data": {}, "late": true })),
        with("entityUpdated", json!({ "data": {}, "version": 1, "previous": [] })),
        with("entityUpdated", json!({ "data": {}, "version": 1, "state": "unavailable" })),
        with("entityUpdated", json!({ "data": {}, "state": "busy" })),
        with("entityMoved", json!({ "data": {}, "version": 1 })),
    ] {
        assert!(!is_valid("server-message", &message), "{message}");
    }
}
