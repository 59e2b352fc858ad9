//! Attributes with several values: languages, lists, typed values and instances.

use serde_json::{Value, json};

use crate::entity::{assert_all, data};

#[test]
fn a_language_property_without_a_language_is_compared_in_all_languages() {
    for attribute in [
        json!({"type": "LanguageProperty", "languageMap": {"en": "red", "de": ["rot", "purpur"]}}),
        json!({"languageMap": {"en": "red", "de": ["rot", "purpur"]}}),
    ] {
        let data = data(&json!({ "color": attribute }));
        assert_all(&data, true, &["color==red", "color==purpur", "color~=^r", "color>a", "color!=blau", "color"]);
        assert_all(&data, false, &["color==blau", "color!=rot", "color!=red", "color!~=^r", "!color"]);
    }
    let empty = data(&json!({"color": {"languageMap": {}}}));
    assert_all(&empty, true, &["color"]);
    assert_all(&empty, false, &["color==red", "color!=red", "color[*]!=red", "color!~=red", "!color"]);
}

#[test]
fn lists_are_arrays() {
    let data = data(&json!({
        "numbers": {"type": "ListProperty", "valueList": [1, 2]},
        "concise": {"valueList": ["a"]},
        "devices": {"type": "ListRelationship", "objectList": [{"object": "urn:a"}, {"object": "urn:b"}]},
        "short": {"objectList": ["urn:a"]},
    }));
    let queries =
        ["numbers==2", "numbers!=3", "concise==a", "devices==urn:b", "devices!=urn:c", "short==urn:a", "devices"];
    assert_all(&data, true, &queries);
    assert_all(&data, false, &["numbers==3", "numbers!=1", "devices==urn:c", "devices!=urn:b", "short!=urn:a"]);
}

#[test]
fn typed_values_are_read_in_arrays_and_members_too() {
    let seen = json!({"@type": "DateTime", "@value": "2026-01-02T03:04:05Z"});
    let data = data(&json!({"times": {"value": [seen]}, "by": {"value": {"a": seen, "b": [seen]}}}));
    for place in ["times", "by[a]", "by[b]", "by[*]"] {
        assert_all(&data, true, &[&format!("{place}==2026-01-02T03:04:05Z"), &format!("{place}!=2026-01-02")]);
    }
    assert_all(&data, true, &["by[*]>2026-01-02"]);
}

#[test]
fn several_instances_have_three_notations() {
    for attribute in [
        json!([{"value": 7, "datasetId": "urn:a"}, {"value": 8}]),
        json!([{"type": "Property", "value": 7}, {"type": "Property", "value": 8}]),
        json!({"dataset": {"urn:a": 7, "@none": 8}}),
    ] {
        let data = data(&json!({ "speed": attribute }));
        assert_all(&data, true, &["speed==7", "speed==8", "speed>7", "speed!=7", "speed"]);
        assert_all(&data, false, &["speed==9", "speed>8", "!speed"]);
        assert_eq!(data.values("speed").filter_map(Value::as_u64).sum::<u64>(), 15);
    }
    // Arrays and objects that are not instances are values.
    for value in [json!([{"value": 7}]), json!([{"type": "T", "value": 7}]), json!({"dataset": {"a": 7}, "b": 1})] {
        assert_all(&data(&json!({ "speed": value })), false, &["speed==7"]);
    }
}
