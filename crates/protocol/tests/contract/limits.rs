//! Each limit of a message: the last value within it is accepted, and the next one is refused with the code of the limit.

use entity_stream_protocol::limits::{
    ATTRIBUTE_NAME_LENGTH, ENTITY_TYPE_LENGTH, EVENTS_FRAME_BYTES, FILTER_ID_LENGTH, FILTER_IDS, FILTER_TEXT_BYTES,
    FILTER_TYPES, GEO_DISTANCE, GEO_QUERY_BYTES, ID_PATTERN_LENGTH, MESSAGE_BYTES, POSITION_LENGTH, QUERY_BYTES,
    QUERY_DEPTH, QUERY_TERMS, REQUEST_ID_LENGTH, SERVICE_PATH_LENGTH, SUBSCRIPTION_NAME_LENGTH, SUBSCRIPTIONS,
    VIEW_ATTRIBUTES, WATCHED_ATTRIBUTES,
};
use entity_stream_protocol::{ClientMessage, ErrorCode, pack_events};
use serde_json::{Value, json};

fn code(field: &str, value: Value) -> Option<ErrorCode> {
    let mut message = json!({ "action": "subscribe" });
    message[field] = value;
    ClientMessage::parse(&message.to_string()).err().map(|rejection| rejection.code)
}

#[track_caller]
fn assert_limit(field: &str, most: usize, value: impl Fn(usize) -> Value, expected: ErrorCode) {
    assert_eq!(code(field, value(most)), None, "{field}: {most}");
    assert_eq!(code(field, value(most + 1)), Some(expected), "{field}: {}", most + 1);
}

fn numbers(count: usize) -> Value {
    json!((0..count).map(|number| number.to_string()).collect::<Vec<_>>())
}

/// A list of one text with so many characters of two bytes.
fn long(characters: usize) -> Value {
    json!(["é".repeat(characters)])
}

#[test]
fn lists_have_so_many_entries_of_such_a_length() {
    for (field, most, longest, expected) in [
        ("entityTypes", FILTER_TYPES, ENTITY_TYPE_LENGTH, ErrorCode::InvalidEntityTypes),
        ("entityIds", FILTER_IDS, FILTER_ID_LENGTH, ErrorCode::InvalidEntityIds),
        ("watchedAttributes", WATCHED_ATTRIBUTES, ATTRIBUTE_NAME_LENGTH, ErrorCode::InvalidSubscription),
        ("attributes", VIEW_ATTRIBUTES, ATTRIBUTE_NAME_LENGTH, ErrorCode::InvalidSubscription),
    ] {
        assert_limit(field, most, numbers, expected.clone());
        assert_limit(field, longest, long, expected.clone());
        assert_eq!(code(field, json!([""])), Some(expected), "{field}");
        assert_eq!(code(field, json!([])), None, "{field}");
        let twice = [numbers(most), numbers(most)].map(|list| list.as_array().unwrap().clone()).concat();
        assert_eq!(code(field, json!(twice)), None, "{field}: a repeated entry counts once");
    }
    let all = json!(["entityCreated", "entityUpdated", "entityDeleted", "entityCreated"]);
    assert_eq!(code("notificationTrigger", all), None);
    assert_eq!(code("notificationTrigger", json!(["entityMoved"])), Some(ErrorCode::InvalidSubscription));
}

#[test]
fn texts_have_a_length() {
    let text = |length| json!("a".repeat(length));
    assert_limit("subscription", SUBSCRIPTION_NAME_LENGTH, text, ErrorCode::InvalidSubscription);
    assert_limit("requestId", REQUEST_ID_LENGTH, |length| json!("é".repeat(length)), ErrorCode::InvalidMessage);
    let pattern = |length: usize| json!(format!("^{}", "é".repeat(length - 1)));
    assert_limit("idPattern", ID_PATTERN_LENGTH, pattern, ErrorCode::InvalidIdPattern);
    // A longer text is refused for its bytes, before its own limit counts.
    let path = |length: usize| json!(format!("/{}", "a".repeat(length - 1)));
    assert_limit("servicePath", SERVICE_PATH_LENGTH, path, ErrorCode::LimitExceeded);
    let query = |length: usize| json!(format!("a=={}", "b".repeat(length - 3)));
    assert_limit("q", QUERY_BYTES, query, ErrorCode::LimitExceeded);
}

#[test]
fn a_place_in_the_history_has_such_a_length() {
    let position = |length| json!({ "position": "~".repeat(length), "session": "s" });
    assert_limit("since", POSITION_LENGTH, position, ErrorCode::InvalidSince);
    let session = |length| json!({ "position": "~", "session": "s".repeat(length) });
    assert_limit("since", 128, session, ErrorCode::InvalidSince);
    let seconds = |seconds| json!({ "seconds": seconds });
    assert_limit("since", u32::MAX as usize, seconds, ErrorCode::InvalidSince);
}

#[test]
fn a_frame_of_events_has_so_many_bytes_unless_one_event_has_more() {
    let lengths = |sizes: &[usize]| -> Vec<usize> {
        pack_events(sizes.iter().map(|bytes| "x".repeat(*bytes))).iter().map(|frame| frame.text.len()).collect()
    };
    let around = lengths(&[1000, 1000])[0] - 2000;
    // A byte of reserve is a comma.
    let most = EVENTS_FRAME_BYTES - around - 1000 - 1;
    assert_eq!(lengths(&[1000, most]), [EVENTS_FRAME_BYTES - 1]);
    assert_eq!(lengths(&[1000, most + 1]), [1000, most + 1]);
    assert_eq!(lengths(&[1000, MESSAGE_BYTES, 1000]), [1000, MESSAGE_BYTES, 1000]);
    assert_eq!(lengths(&[5]), [5]);
}

#[test]
fn a_query_has_so_many_terms_and_parentheses() {
    let terms = |count| json!(vec!["a"; count].join("|"));
    assert_limit("q", QUERY_TERMS, terms, ErrorCode::InvalidQ);
    let parentheses = |depth| json!(format!("{}a{}", "(".repeat(depth), ")".repeat(depth)));
    assert_limit("q", QUERY_DEPTH, parentheses, ErrorCode::InvalidQ);
}

#[test]
fn the_regular_expressions_of_a_query_have_the_length_of_one_pattern() {
    let half = "b".repeat(ID_PATTERN_LENGTH / 2);
    let two = |length: usize| json!(format!("a~=^{}|c~=^{half}", "b".repeat(length - half.len() - 2)));
    assert_limit("q", ID_PATTERN_LENGTH, two, ErrorCode::InvalidQ);
}

#[test]
fn a_geo_query_has_so_much_text_and_distance() {
    let near = |georel: String, geoproperty: String| json!({ "georel": georel, "geometry": "Point", "coordinates": [1, 2], "geoproperty": geoproperty });
    let points = |bytes: usize| {
        let named = |name: &str| json!({ "georel": "intersects", "geometry": "MultiPoint", "coordinates": vec![[1, 2]; 140], "geoproperty": name });
        named(&"p".repeat(bytes - named("").to_string().len()))
    };
    assert_limit("geoQ", GEO_QUERY_BYTES, points, ErrorCode::InvalidGeoQ);
    let distance = |metres: usize| near(format!("near;maxDistance=={metres}"), "place".to_owned());
    assert_limit("geoQ", GEO_DISTANCE as usize, distance, ErrorCode::InvalidGeoQ);
    let name = |length| near("near;minDistance==1".to_owned(), "é".repeat(length));
    assert_limit("geoQ", ATTRIBUTE_NAME_LENGTH, name, ErrorCode::InvalidGeoQ);
}

#[test]
fn a_subscription_has_a_kilobyte_of_text() {
    let types = ["a", "b", "c"].map(|letter| letter.repeat(256));
    let rest = FILTER_TEXT_BYTES - 3 * 256;
    let geo_q = json!({ "georel": "within", "geometry": "Point", "coordinates": [1, 2] });
    for (field, value) in [
        ("idPattern", (|length| json!(format!("^{}", "p".repeat(length - 1)))) as fn(usize) -> Value),
        ("q", |length| json!("q".repeat(length))),
        ("servicePath", |length| json!(format!("/{}", "s".repeat(length - 1)))),
        ("watchedAttributes", |length| json!(["w".repeat(length / 2), "x".repeat(length - length / 2)])),
        ("attributes", |length| json!(["v".repeat(length / 2), "w".repeat(length - length / 2)])),
    ] {
        let with = |length| {
            let mut subscription = json!({ "entityTypes": types, "entityIds": ["i".repeat(512)], "subscription": "n" });
            subscription[field] = value(length);
            json!([subscription])
        };
        assert_limit("subscriptions", rest, with, ErrorCode::LimitExceeded);
        // A geo-query counts as its JSON.
        let with = |length| {
            let mut entry = with(length - geo_q.to_string().len())[0].clone();
            entry["geoQ"] = geo_q.clone();
            json!([entry])
        };
        assert_limit("subscriptions", rest, with, ErrorCode::LimitExceeded);
    }
}

#[test]
fn a_message_has_so_many_subscriptions_and_bytes() {
    let named = |count: usize| json!((0..count).map(|i| json!({ "subscription": i.to_string() })).collect::<Vec<_>>());
    assert_limit("subscriptions", SUBSCRIPTIONS, named, ErrorCode::LimitExceeded);
    assert_eq!(code("subscriptions", json!([])), Some(ErrorCode::InvalidSubscription));
    let frame = r#"{"action":"subscribe","more":""}"#.len();
    assert_limit("more", MESSAGE_BYTES - frame, |length| json!("x".repeat(length)), ErrorCode::MessageTooLarge);
}

#[test]
fn a_field_of_another_type_is_refused_with_its_code() {
    for (field, expected) in [
        ("subscription", ErrorCode::InvalidSubscription),
        ("subscriptions", ErrorCode::InvalidSubscription),
        ("entityTypes", ErrorCode::InvalidEntityTypes),
        ("entityIds", ErrorCode::InvalidEntityIds),
        ("idPattern", ErrorCode::InvalidIdPattern),
        ("notificationTrigger", ErrorCode::InvalidSubscription),
        ("watchedAttributes", ErrorCode::InvalidSubscription),
        ("q", ErrorCode::InvalidQ),
        ("geoQ", ErrorCode::InvalidGeoQ),
        ("servicePath", ErrorCode::InvalidSubscription),
        ("attributes", ErrorCode::InvalidSubscription),
        ("representation", ErrorCode::InvalidSubscription),
        ("since", ErrorCode::InvalidSince),
        ("requestId", ErrorCode::InvalidMessage),
    ] {
        for value in [json!(7), json!(true)] {
            assert_eq!(code(field, value), Some(expected.clone()), "{field}");
        }
        assert_eq!(code(field, Value::Null), None, "{field}: null counts as absent");
    }
}
