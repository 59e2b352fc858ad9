//! Entities and queries for the tests.

use entity_stream_protocol::{EntityData, Query};
use serde_json::Value;
use serde_json::value::RawValue;

/// The data of an event with this text.
pub(crate) fn data_of_text(text: &str) -> EntityData {
    EntityData::new(Some(&RawValue::from_string(text.to_owned()).unwrap()))
}

/// The data of an event with this value.
pub(crate) fn data(value: &Value) -> EntityData {
    data_of_text(&value.to_string())
}

pub(crate) fn query(text: &str) -> Query {
    Query::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// Fails unless each of these queries has this answer.
pub(crate) fn assert_all(data: &EntityData, expected: bool, queries: &[&str]) {
    for text in queries {
        assert_eq!(query(text).matches(data), expected, "{text} on {data:?}");
    }
}
