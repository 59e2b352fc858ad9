use entity_stream_protocol::{ClientMessage, ErrorCode, SubscriptionName};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::history::since;
use crate::schemas::{assert_valid, is_valid};

const ACTIONS: [&str; 7] = ["subscribe", "unsubscribe", "snapshot", "ping", "sync", "authenticate", "dpop_bind"];

const SUBSCRIPTION: [&str; 14] = [
    "subscription",
    "entityTypes",
    "entityIds",
    "idPattern",
    "notificationTrigger",
    "watchedAttributes",
    "q",
    "geoQ",
    "servicePath",
    "attributes",
    "representation",
    "wholeEntity",
    "showChanges",
    "snapshot",
];

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

/// Values for a field whose valid values `field` hardly ever has. The schema has no syntax of queries, so all texts here have a
/// valid one.
fn value_of(name: &str) -> BoxedStrategy<Value> {
    let values = match name {
        "notificationTrigger" => vec![json!(["entityCreated", "entityCreated"]), json!(["attributeUpdated"])],
        "representation" => vec![json!("normalized"), json!("keyValues"), json!("simplified"), json!("")],
        "servicePath" => {
            ["", "/", "/a", "/a/#", "/#", "/é/b/", "a", "/a#", "/#/a", "/a,/b"].map(|path| json!(path)).to_vec()
        }
        "q" => {
            return prop_oneof![
                3 => prop::sample::select(vec![json!(""), json!("a>1"), json!("a==1|b"), json!("a".repeat(1025))]),
                1 => Just(Value::Null),
                1 => Just(json!(["a"])),
            ]
            .boxed();
        }
        "wholeEntity" | "showChanges" | "snapshot" => vec![json!(true), json!(false)],
        "next" => {
            vec![json!("e30"), json!("~".repeat(4096)), json!("~".repeat(4097)), json!("a b"), json!("é"), json!("")]
        }
        "geoQ" => return prop_oneof![4 => geo_query(), 1 => field()].boxed(),
        "since" => return prop_oneof![4 => place(), 1 => field()].boxed(),
        _ => return field().boxed(),
    };
    prop_oneof![3 => prop::sample::select(values), 1 => field()].boxed()
}

/// A valid geo-query, or one with a member that is missing or has another value.
fn geo_query() -> impl Strategy<Value = Value> {
    let members = prop::option::weighted(
        0.7,
        prop::sample::select(vec!["georel", "geometry", "coordinates", "geoproperty", "x"]),
    );
    let values = prop::sample::select(vec![
        json!(null),
        json!(7),
        json!("within"),
        json!("near;minDistance==1.5e3"),
        json!("near;maxDistance:5"),
        json!("near"),
        json!("Polygon"),
        json!("Point"),
        json!("[1,2]"),
        json!([1, 2]),
        json!("place"),
        json!(""),
        json!({}),
    ]);
    (members, prop::option::weighted(0.8, values)).prop_map(|(member, value)| {
        let mut query = json!({ "georel": "near;maxDistance==5", "geometry": "Point", "coordinates": [1, 2] });
        if let (Some(member), Some(members)) = (member, query.as_object_mut()) {
            match value {
                Some(value) => members.insert(member.to_owned(), value),
                None => members.remove(member),
            };
        }
        query
    })
}

/// A valid `since`, or one with a member that is missing or has another value.
fn place() -> impl Strategy<Value = Value> {
    let right = since().prop_map(|since| json!(since));
    let member = prop::sample::select(vec!["position", "session", "seconds", "more"]);
    let values = prop::sample::select(vec![
        json!(null),
        json!(0),
        json!(-1),
        json!(1.5),
        json!(u32::MAX),
        json!(u64::from(u32::MAX) + 1),
        json!(""),
        json!("0a"),
        json!("a b"),
        json!("a/b"),
        json!("é"),
        json!("x".repeat(64)),
        json!("x".repeat(65)),
        json!("x".repeat(129)),
        json!([1]),
    ]);
    (right, prop::option::of((member, prop::option::weighted(0.8, values)))).prop_map(|(mut place, slip)| {
        if let (Some((member, value)), Some(members)) = (slip, place.as_object_mut()) {
            match value {
                Some(value) => members.insert(member.to_owned(), value),
                None => members.remove(member),
            };
        }
        place
    })
}

/// Some of these fields, with values.
fn fields(names: &[&'static str]) -> impl Strategy<Value = Map<String, Value>> + use<> {
    let names = prop::sample::subsequence(names.to_vec(), 0..=names.len().min(4));
    names.prop_flat_map(|names| {
        let values: Vec<_> = names.iter().map(|name| value_of(name)).collect();
        values.prop_map(move |values| names.iter().map(|name| (*name).to_owned()).zip(values).collect())
    })
}

/// A list of subscriptions with different names, or another value.
fn list() -> impl Strategy<Value = Value> {
    let entry = prop_oneof![9 => fields(&SUBSCRIPTION).prop_map(Value::Object), 1 => field()];
    let entries = prop::collection::vec(entry, 0..4).prop_map(|mut entries| {
        for (index, entry) in entries.iter_mut().enumerate().skip(1) {
            if let Value::Object(fields) = entry {
                fields.insert("subscription".to_owned(), json!(format!("{index}")));
            }
        }
        json!(entries)
    });
    let many = prop::sample::select(vec![16_usize, 17, 18]).prop_map(|count| {
        json!((0..count).map(|index| json!({ "subscription": index.to_string() })).collect::<Vec<_>>())
    });
    prop_oneof![6 => entries, 1 => many, 1 => field()]
}

fn message() -> impl Strategy<Value = Value> {
    let action = prop_oneof![
        9 => prop::sample::select(&ACTIONS[..]).prop_map(|action| json!(action)),
        1 => field(),
    ];
    let names = [&SUBSCRIPTION[..], &["requestId", "since", "token", "next", "more"]].concat();
    let message = (prop::option::weighted(0.95, action), fields(&names)).prop_map(|(action, mut fields)| {
        if let Some(action) = action {
            fields.insert("action".to_owned(), action);
        }
        fields
    });
    let several = (list(), fields(&["requestId", "since"])).prop_map(|(subscriptions, mut fields)| {
        fields.insert("action".to_owned(), json!("subscribe"));
        fields.insert("subscriptions".to_owned(), subscriptions);
        fields
    });
    prop_oneof![3 => message, 1 => several].prop_map(Value::Object)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn the_schema_and_the_function_accept_the_same(message in message()) {
        let parsed = ClientMessage::parse(&message.to_string());
        // Only the function counts bytes.
        if !matches!(&parsed, Err(rejection) if rejection.code == ErrorCode::LimitExceeded) {
            prop_assert_eq!(is_valid("client-message", &message), parsed.is_ok(), "{}: {:?}", message, parsed);
        }
    }
}

#[test]
fn both_accept_the_samples() {
    for message in [
        json!({ "action": "subscribe" }),
        json!({ "action": "subscribe", "entityTypes": ["Room"], "idPattern": "^urn:", "requestId": "1", "new": 7 }),
        json!({ "action": "subscribe", "entityTypes": null, "idPattern": null, "requestId": null }),
        json!({ "action": "subscribe", "entityTypes": [], "idPattern": "" }),
        json!({ "action": "subscribe", "subscription": "map", "q": "a>1", "attributes": ["a"], "wholeEntity": false }),
        json!({ "action": "subscribe", "wholeEntity": true, "showChanges": true, "snapshot": true }),
        json!({ "action": "subscribe", "wholeEntity": null, "showChanges": null, "snapshot": null }),
        json!({ "action": "subscribe", "subscriptions": [{ "snapshot": true }], "since": { "seconds": 30 } }),
        json!({ "action": "snapshot", "next": "e30", "subscription": "map", "requestId": "6" }),
        json!({ "action": "snapshot", "next": "~".repeat(4096) }),
        json!({ "action": "subscribe", "subscriptions": [{}, { "subscription": "map" }], "requestId": "1" }),
        json!({ "action": "subscribe", "subscriptions": null }),
        json!({ "action": "subscribe", "since": null }),
        json!({ "action": "subscribe", "since": { "position": "0a", "session": "XyZ12cdeIAMCJ1g=" } }),
        json!({ "action": "subscribe", "subscriptions": [{}], "since": { "seconds": 30, "more": 1 } }),
        json!({ "action": "subscribe", "since": { "position": null, "session": null, "seconds": 0 } }),
        json!({ "action": "subscribe", "since": { "position": "0a", "session": "s", "seconds": null } }),
        json!({ "action": "unsubscribe", "requestId": "2" }),
        json!({ "action": "unsubscribe", "subscription": "map" }),
        json!({ "action": "ping" }),
        json!({ "action": "ping", "since": 7 }),
        json!({ "action": "sync" }),
        json!({ "action": "sync", "requestId": "5" }),
        json!({ "action": "authenticate", "token": "eyJ" }),
        json!({ "action": "authenticate", "token": "eyJ", "proof": null }),
        json!({ "action": "authenticate", "token": "eyJ", "proof": "eyK" }),
        json!({ "action": "dpop_bind", "proof": "eyK", "requestId": "1" }),
    ] {
        assert_valid("client-message", &message);
        // The answer to `snapshot` has this name already.
        let schema = message["action"].as_str().map(|action| match action {
            "snapshot" => "next-snapshot",
            "dpop_bind" => "dpop-bind",
            action => action,
        });
        assert_valid(schema.unwrap(), &message);
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
        json!({ "action": "authenticate", "token": "eyJ", "proof": "" }),
        json!({ "action": "authenticate", "token": "eyJ", "proof": 7 }),
        json!({ "action": "dpop_bind" }),
        json!({ "action": "dpop_bind", "proof": null }),
        json!({ "action": "dpop_bind", "proof": "" }),
        json!({ "action": "authenticate", "token": "" }),
        json!({ "action": "authenticate", "token": null }),
        json!({ "action": "subscribe", "entityTypes": "Room" }),
        json!({ "action": "subscribe", "entityTypes": [""] }),
        json!({ "action": "subscribe", "entityTypes": [null] }),
        json!({ "action": "subscribe", "entityTypes": (0..50).map(|i| i.to_string()).collect::<Vec<_>>() }),
        json!({ "action": "subscribe", "idPattern": "x".repeat(513) }),
        json!({ "action": "subscribe", "idPattern": ["x"] }),
        json!({ "action": "subscribe", "subscription": "" }),
        json!({ "action": "subscribe", "subscription": "a b" }),
        json!({ "action": "subscribe", "representation": "simplified" }),
        json!({ "action": "subscribe", "notificationTrigger": ["attributeUpdated"] }),
        json!({ "action": "subscribe", "servicePath": "madrid" }),
        json!({ "action": "subscribe", "geoQ": { "georel": "near;maxDistance==1", "geometry": "Polygon", "coordinates": [] } }),
        json!({ "action": "subscribe", "since": "0a" }),
        json!({ "action": "subscribe", "since": 30 }),
        json!({ "action": "subscribe", "since": {} }),
        json!({ "action": "subscribe", "since": [30] }),
        json!({ "action": "subscribe", "since": { "position": "0a" } }),
        json!({ "action": "subscribe", "since": { "session": "s" } }),
        json!({ "action": "subscribe", "since": { "position": "0a", "session": null } }),
        json!({ "action": "subscribe", "since": { "position": "0a", "session": "s", "seconds": 30 } }),
        json!({ "action": "subscribe", "since": { "position": "a b", "session": "s", "seconds": 30 } }),
        json!({ "action": "subscribe", "since": { "position": "x".repeat(65), "session": "s" } }),
        json!({ "action": "subscribe", "since": { "position": "0a", "session": "a/b" } }),
        json!({ "action": "subscribe", "since": { "seconds": -1 } }),
        json!({ "action": "subscribe", "since": { "seconds": 1.5 } }),
        json!({ "action": "subscribe", "since": { "seconds": "30" } }),
        json!({ "action": "subscribe", "wholeEntity": "yes" }),
        json!({ "action": "subscribe", "showChanges": 1 }),
        json!({ "action": "subscribe", "snapshot": [true] }),
        json!({ "action": "subscribe", "subscriptions": [{ "snapshot": "true" }] }),
        json!({ "action": "snapshot" }),
        json!({ "action": "snapshot", "next": null }),
        json!({ "action": "snapshot", "next": "" }),
        json!({ "action": "snapshot", "next": "a b" }),
        json!({ "action": "snapshot", "next": "~".repeat(4097) }),
        json!({ "action": "sync", "requestId": 7 }),
        json!({ "action": "subscribe", "subscriptions": [] }),
        json!({ "action": "subscribe", "subscriptions": [7] }),
        json!({ "action": "subscribe", "subscriptions": { "subscription": "map" } }),
        json!({ "action": "unsubscribe", "subscription": 7 }),
    ] {
        assert!(!is_valid("client-message", &message), "{message}");
        assert!(ClientMessage::parse(&message.to_string()).is_err(), "{message}");
    }
}

/// A schema cannot express every rule of the contract. Only the function checks these rules.
#[test]
fn only_the_function_checks_syntax_text_and_names() {
    let near =
        |coordinates| json!({ "georel": "near;maxDistance==1", "geometry": "Point", "coordinates": coordinates });
    for (fields, code) in [
        (json!({ "idPattern": "(" }), ErrorCode::InvalidIdPattern),
        (json!({ "q": "a>" }), ErrorCode::InvalidQ),
        (json!({ "geoQ": near(json!([181, 0])) }), ErrorCode::InvalidGeoQ),
        (json!({ "geoQ": near(json!([[1, 2]])) }), ErrorCode::InvalidGeoQ),
        (
            json!({ "q": "a==1", "attributes": vec!["b".repeat(256), "c".repeat(256), "d".repeat(256), "e".repeat(256)] }),
            ErrorCode::LimitExceeded,
        ),
        (
            json!({ "subscriptions": [{ "subscription": "a" }, { "subscription": "a" }] }),
            ErrorCode::InvalidSubscription,
        ),
        (json!({ "subscriptions": [{}, {}] }), ErrorCode::InvalidSubscription),
        // For a schema, this is a whole number.
        (json!({ "since": { "seconds": 30.0 } }), ErrorCode::InvalidSince),
    ] {
        let mut message = fields;
        message["action"] = json!("subscribe");
        assert!(is_valid("client-message", &message), "{message}");
        assert_eq!(ClientMessage::parse(&message.to_string()).unwrap_err().code, code, "{message}");
    }
}

#[test]
fn fields_beside_a_list_of_subscriptions_are_ignored() {
    let message = json!({ "action": "subscribe", "entityTypes": 7, "subscriptions": [{ "subscription": "map" }] });
    let expected = json!({ "action": "subscribe", "subscriptions": [{ "subscription": "map" }] });
    let read = ClientMessage::parse(&message.to_string()).unwrap();
    assert_eq!(read.to_json(), expected.to_string());
}

#[test]
fn a_rejection_names_the_subscription_at_fault() {
    for (message, name) in [
        (json!({ "action": "subscribe", "subscription": "map", "q": "(" }), Some("map")),
        (json!({ "action": "subscribe", "q": "(" }), None),
        (
            json!({ "action": "subscribe", "subscriptions": [{ "subscription": "a" }, { "subscription": "b", "q": "(" }] }),
            Some("b"),
        ),
        (json!({ "action": "subscribe", "subscriptions": [{ "subscription": "a" }, { "q": "(" }] }), None),
    ] {
        let rejection = ClientMessage::parse(&message.to_string()).unwrap_err();
        assert_eq!(rejection.code, ErrorCode::InvalidQ, "{message}");
        assert_eq!(rejection.subscription.as_ref().map(SubscriptionName::as_str), name, "{message}");
    }
}
