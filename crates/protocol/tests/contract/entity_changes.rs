use entity_stream_protocol::{
    EntityChange, Event, Format, MessageForm, Position, Representation, SubscriptionName, View, pack_events,
};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::history::position;
use crate::schemas::{assert_described, assert_valid, is_valid, repository};

/// A value for a field: valid, invalid, at a limit, or of another type.
fn field() -> impl Strategy<Value = Value> {
    let text = prop_oneof![
        "[a-zA-Z0-9_#é/-]{0,8}".boxed(),
        prop::sample::select(vec!["entityCreated", "entityUpdated", "entityDeleted", "entityMoved", "_a", "A-1"])
            .prop_map(str::to_owned)
            .boxed(),
        prop::sample::select(vec![63, 64, 65, 256, 257, 1024, 1025, 2048, 2049])
            .prop_map(|length| "x".repeat(length))
            .boxed(),
        Just("é".repeat(256)).boxed(),
    ];
    prop_oneof![
        6 => text.clone().prop_map(Value::String),
        2 => prop::collection::vec(text, 0..3).prop_map(|texts| json!(texts)),
        1 => (49..53_usize).prop_map(|count| json!(vec!["T"; count])),
        1 => Just(Value::Null),
        1 => Just(json!(1.5)),
        1 => Just(json!({})),
        1 => Just(json!({ "temperature": { "type": "Number", "value": 1.0 } })),
        1 => Just(json!([1])),
    ]
}

fn right() -> Map<String, Value> {
    let detail = json!({
        "type": "entityUpdated", "tenant": "Demo", "servicePath": "/a", "entityId": "urn:1", "entityType": "Room",
        "data": { "x": 1 }, "changedAttributes": ["x"], "timestamp": "2026-01-02T03:04:05Z",
        "@context": "https://example.org/context.jsonld"
    });
    detail.as_object().unwrap().clone()
}

/// A valid change in which some fields are replaced or missing.
fn detail() -> impl Strategy<Value = Value> {
    let names: Vec<String> = right().keys().cloned().collect();
    let slips = prop::collection::vec((prop::sample::select(names), prop::option::weighted(0.8, field())), 0..3);
    slips.prop_map(|slips| {
        let mut detail = right();
        for (name, value) in slips {
            match value {
                Some(value) => detail.insert(name, value),
                None => detail.remove(&name),
            };
        }
        Value::Object(detail)
    })
}

/// Fails if the schemas do not describe the messages of a change in both formats: without a history, live with it, and replayed.
fn assert_messages_are_described(change: &EntityChange, position: &Position) {
    let event = Event::new("9c1e", "2026-01-02T03:04:05Z", change.clone());
    let live = event.clone().at(position.clone());
    for event in [event, live.clone(), live.clone().replayed(None), live.replayed(Some(200_000))] {
        assert_forms_are_described(&event);
    }
}

fn assert_forms_are_described(event: &Event) {
    let named = |format| MessageForm {
        has_left: false,
        format,
        view: View::new(["x", "temperature"], Representation::KeyValues).unwrap(),
        subscriptions: vec![SubscriptionName::DEFAULT, SubscriptionName::parse("map").unwrap()],
    };
    for form in [Format::Json.into(), named(Format::Json)] {
        let messages = [event.message(&form), event.truncated_message(&form)];
        assert_frames_are_described(&messages);
        for message in messages {
            let message: Value = serde_json::from_str(&message).unwrap();
            assert_valid("event", &message);
            assert_valid("server-message", &message);
            assert_described("event", &message);
        }
    }
    for form in [Format::CloudEvents.into(), named(Format::CloudEvents)] {
        let messages = [event.message(&form), event.truncated_message(&form)];
        assert_frames_are_described(&messages);
        for message in messages {
            let message: Value = serde_json::from_str(&message).unwrap();
            assert_valid("cloudevent", &message);
            assert_valid("server-message", &message);
            assert_described("cloudevent", &message);
            assert_described("event", &message["data"]);
        }
    }
}

/// Fails if the schemas do not describe the frames that hold these messages.
fn assert_frames_are_described(messages: &[String]) {
    for frame in pack_events(messages) {
        let frame: Value = serde_json::from_str(&frame.text).unwrap();
        assert_valid("server-message", &frame);
        if frame["type"] == "events" {
            assert_valid("events", &frame);
            assert_described("events", &frame);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn the_schema_and_the_function_accept_the_same(detail in detail(), position in position()) {
        let parsed = EntityChange::parse(&detail.to_string());
        prop_assert_eq!(is_valid("entity-change", &detail), parsed.is_ok(), "{}: {:?}", detail, parsed);
        if let Ok(change) = parsed {
            assert_messages_are_described(&change, &position);
        }
    }
}

#[test]
fn truncated_messages_are_described() {
    let mut detail = right();
    detail.insert("data".to_owned(), json!({ "x": "y".repeat(200_000) }));
    detail.insert("changedAttributes".to_owned(), json!(vec!["long name".repeat(100); 300]));
    let change = EntityChange::parse(&Value::Object(detail).to_string()).unwrap();
    assert_messages_are_described(&change, &Position::parse("0a").unwrap());
}

#[test]
fn the_samples_are_valid_as_named() {
    let mut deliverable = 0;
    for entry in std::fs::read_dir(repository("events/broadcast")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        let sample: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        let envelopes = sample.as_array().cloned().unwrap_or_else(|| vec![sample]);
        let valid = envelopes.iter().filter(|envelope| is_valid("entity-change", &envelope["detail"])).count();
        let expected = match name {
            name if name.starts_with("undeliverable") => 0,
            name if name.contains("undeliverable") => envelopes.len() - 1,
            _ => envelopes.len(),
        };
        assert_eq!(valid, expected, "{name}");
        deliverable += valid;
    }
    assert!(deliverable >= 8, "the samples were found");
}

#[test]
fn the_schema_refuses_other_events() {
    let event = json!({ "type": "entityUpdated", "id": "1", "tenant": "t", "servicePath": "/", "entityId": "i",
        "entityType": ["A", "B"], "data": {}, "changedAttributes": ["x"], "timestamp": "2026-01-02T03:04:05Z" });
    assert_valid("event", &event);
    let with = |name: &str, value: Option<Value>| {
        let mut event = event.as_object().unwrap().clone();
        match value {
            Some(value) => event.insert(name.to_owned(), value),
            None => event.remove(name),
        };
        Value::Object(event)
    };
    for (name, value) in [
        ("data", None),
        ("id", None),
        ("data", Some(json!([]))),
        ("truncated", Some(json!(true))),
        ("truncated", Some(json!(false))),
        ("dataBytes", Some(json!(5))),
        ("position", Some(json!(""))),
        ("position", Some(json!("a b"))),
        ("position", Some(json!("x".repeat(65)))),
        ("position", Some(Value::Null)),
        ("replayed", Some(json!(true))),
        ("replayed", Some(json!(false))),
        ("tenant", Some(json!("T"))),
        ("type", Some(json!("entityDeleted"))),
        ("entityType", Some(json!([]))),
        ("subscriptions", Some(json!([]))),
        ("subscriptions", Some(json!(["a b"]))),
        ("subscriptions", Some(json!(["a", "a"]))),
    ] {
        let event = with(name, value);
        assert!(!is_valid("event", &event), "{event}");
        assert!(!is_valid("server-message", &event), "{event}");
    }
    for (fields, is_right) in [
        (json!({ "data": {}, "truncated": true, "dataBytes": 5 }), true),
        (json!({ "data": { "x": 1 }, "truncated": true, "dataBytes": 5 }), false),
        (json!({ "position": "0a" }), true),
        (json!({ "position": "0a", "replayed": true }), true),
        (json!({ "position": "0a", "replayed": false }), false),
    ] {
        let mut event = event.clone();
        for (name, value) in fields.as_object().unwrap() {
            event[name] = value.clone();
        }
        assert_eq!(is_valid("event", &event), is_right, "{event}");
    }
}
