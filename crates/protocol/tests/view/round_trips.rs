//! Views in JSON, and the properties of all views.

use std::collections::HashSet;

use entity_stream_protocol::{Representation, View};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::shown;

#[test]
fn a_view_is_read_and_written() {
    let read = |value: Value| serde_json::from_value::<View>(value);
    let view = read(json!({"attributes":["b","a","b"],"representation":"keyValues"})).unwrap();
    assert_eq!(serde_json::to_value(&view).unwrap(), json!({"attributes":["a","b"],"representation":"keyValues"}));
    assert_eq!(serde_json::to_value(View::default()).unwrap(), json!({}));
    for everything in [json!({}), json!({"attributes":[],"representation":"normalized"}), json!({"attributes":null})] {
        assert_eq!(read(everything).unwrap(), View::default());
    }
    for (invalid, expected) in [
        (json!({"representation":"concise"}), "representation: expected normalized or keyValues"),
        (json!({"attributes":[""]}), "1 to 256 characters"),
    ] {
        let message = read(invalid).unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn equal_views_are_one_key() {
    let view = |names: [&str; 2]| View::new(names, Representation::Normalized).unwrap();
    let views = HashSet::from([view(["a", "b"]), view(["b", "a"]), View::default()]);
    assert_eq!(views.len(), 2);
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "\\PC{0,3}".prop_map(Value::from),
        prop::sample::select(vec!["Property", "Relationship", "Text"]).prop_map(Value::from),
    ];
    let name = prop_oneof![
        prop::sample::select(vec!["type", "value", "object", "datasetId", "json", "a", "b", "id"])
            .prop_map(str::to_owned),
        "\\PC{0,3}",
    ];
    leaf.prop_recursive(4, 40, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((name.clone(), inner), 0..5)
                .prop_map(|members| Value::from(members.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

fn views() -> impl Strategy<Value = View> {
    let representation = prop::sample::select(vec![Representation::Normalized, Representation::KeyValues]);
    (prop::collection::vec("[a-c]", 0..3), representation).prop_map(|(names, form)| View::new(names, form).unwrap())
}

proptest! {
    #[test]
    fn a_view_reads_back_as_it_was_written(view in views()) {
        let written = serde_json::to_string(&view).unwrap();
        prop_assert_eq!(serde_json::from_str::<View>(&written).unwrap(), view);
    }

    #[test]
    fn a_view_keeps_the_named_attributes_of_any_data(data in json_value(), view in views()) {
        let shown: Value = serde_json::from_str(&shown(&view, &data.to_string())).unwrap();
        let Some(members) = data.as_object() else {
            prop_assert_eq!(shown, data);
            return Ok(());
        };
        let shown = shown.as_object().unwrap();
        let stays = |name: &str| {
            ["id", "type", "@context"].contains(&name)
                || view.attributes().len() == 0
                || view.attributes().any(|attribute| attribute == name)
        };
        for (name, value) in members {
            prop_assert_eq!(shown.contains_key(name), stays(name));
            if stays(name) && view.representation() == Representation::Normalized {
                prop_assert_eq!(&shown[name], value);
            }
        }
        prop_assert!(shown.keys().all(|name| members.contains_key(name)));
    }
}
