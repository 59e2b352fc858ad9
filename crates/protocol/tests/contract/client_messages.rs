use entity_stream_protocol::{ClientMessage, ErrorCode};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::schemas::{assert_valid, is_valid};

const ACTIONS: [&str; 4] = ["subscribe", "unsubscribe", "ping", "authenticate"];

/// A value for a field: valid, invalid, at a limit, or of another type.
fn field() -> impl Strategy<Value = Value> {
    let text = prop_oneof![
        "[a-zA-Z:.é]{0,8}".boxed(),
        Just("x".repeat(128)).boxed(),
        Just("é".repeat(129)).boxed(),
        Just("y".repeat(256)).boxed(),
        Just("z".repeat(257)).boxed(),
        // Without the anchor, this pattern would be too slow: an id of the same letter matches every part of it at once.
        Just(format!("^{}", "w".repeat(511))).boxed(),
        Just("v".repeat(513)).boxed(),
    ];
    let texts = (0..52_usize, text.clone()).prop_map(|(count, text)| {
        // The types differ, because the schema counts repeated types and the function counts them once.
        json!((0..count).map(|index| if index == 0 { text.clone() } else { index.to_string() }).collect::<Vec<_>>())
    });
    prop_oneof![
        4 => text.prop_map(Value::String),
        4 => texts,
        1 => Just(Value::Null),
        1 => any::<bool>().prop_map(Value::Bool),
        1 => any::<i32>().prop_map(|number| json!(number)),
        1 => Just(json!({})),
        1 => Just(json!([1])),
    ]
}

fn message() -> impl Strategy<Value = Value> {
    let action = prop_oneof![
        9 => prop::sample::select(&ACTIONS[..]).prop_map(|action| json!(action)),
        1 => field(),
    ];
    let names = prop::sample::subsequence(vec!["entityTypes", "idPattern", "requestId", "token", "more"], 0..=4);
    let fields = names.prop_flat_map(|names| {
        let values = prop::collection::vec(field(), names.len());
        values.prop_map(move |values| names.iter().map(|name| (*name).to_owned()).zip(values).collect::<Map<_, _>>())
    });
    (prop::option::weighted(0.95, action), fields).prop_map(|(action, mut fields)| {
        if let Some(action) = action {
            fields.insert("action".to_owned(), action);
        }
        Value::Object(fields)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn the_schema_and_the_function_accept_the_same(message in message()) {
        let parsed = ClientMessage::parse(&message.to_string());
        prop_assert_eq!(is_valid("client-message", &message), parsed.is_ok(), "{}: {:?}", message, parsed);
    }
}

#[test]
fn both_accept_the_samples() {
    for message in [
        json!({ "action": "subscribe" }),
        json!({ "action": "subscribe", "entityTypes": ["Room"], "idPattern": "^urn:", "requestId": "1", "new": 7 }),
        json!({ "action": "subscribe", "entityTypes": null, "idPattern": null, "requestId": null }),
        json!({ "action": "subscribe", "entityTypes": [], "idPattern": "" }),
        json!({ "action": "unsubscribe", "requestId": "2" }),
        json!({ "action": "ping" }),
        json!({ "action": "authenticate", "token": "eyJ" }),
    ] {
        assert_valid("client-message", &message);
        assert_valid(message["action"].as_str().unwrap(), &message);
        ClientMessage::parse(&message.to_string()).unwrap();
    }
}

#[test]
fn both_refuse_invalid_messages() {
    for message in [
        json!([]),
        json!("ping"),
        json!({}),
        json!({ "action": "fly" }),
        json!({ "action": 1 }),
        json!({ "action": "ping", "requestId": 7 }),
        json!({ "action": "ping", "requestId": "x".repeat(129) }),
        json!({ "action": "authenticate" }),
        json!({ "action": "authenticate", "token": "" }),
        json!({ "action": "authenticate", "token": null }),
        json!({ "action": "subscribe", "entityTypes": "Room" }),
        json!({ "action": "subscribe", "entityTypes": [""] }),
        json!({ "action": "subscribe", "entityTypes": [null] }),
        json!({ "action": "subscribe", "entityTypes": (0..50).map(|i| i.to_string()).collect::<Vec<_>>() }),
        json!({ "action": "subscribe", "idPattern": "x".repeat(513) }),
        json!({ "action": "subscribe", "idPattern": ["x"] }),
    ] {
        assert!(!is_valid("client-message", &message), "{message}");
        assert!(ClientMessage::parse(&message.to_string()).is_err(), "{message}");
    }
}

/// A schema cannot express every rule of the contract. Only the function checks these rules.
#[test]
fn only_the_function_checks_regular_expressions() {
    let message = json!({ "action": "subscribe", "idPattern": "(" });
    assert!(is_valid("client-message", &message));
    assert_eq!(ClientMessage::parse(&message.to_string()).unwrap_err().code, ErrorCode::InvalidIdPattern);
}
