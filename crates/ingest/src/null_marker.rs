use serde_json::Value;
use serde_json::value::RawValue;

/// NGSI-LD's marker for deleted values.
/// Source: ETSI GS CIM 009, clause 4.5.0 (NGSI-LD Null) and clause 5.8.6.
pub(crate) const NULL: &str = "urn:ngsi-ld:null";
/// The longest text of a value that is examined: the marker in a language map or a list.
const LONGEST: usize = 256;

/// True if the value is the marker.
pub(crate) fn is_null_marker(value: &RawValue) -> bool {
    read(value).is_some_and(|value| is_marker(&value))
}

/// True if the value in this member of an attribute stands for something that was deleted: the marker; in a language map, also an
/// object of nothing but markers; in a list, which JSON-LD writes as an array, also an array of nothing but markers. In other
/// members such an object or array is a value.
pub(crate) fn is_null_value(member: &str, value: &RawValue) -> bool {
    match (member, read(value)) {
        (_, None) => false,
        ("languageMap", Some(Value::Object(values))) => values.values().all(is_marker),
        ("valueList" | "objectList", Some(Value::Array(values))) => values.iter().all(is_marker),
        (_, Some(value)) => is_marker(&value),
    }
}

/// A value in which the marker occurs.
fn read(value: &RawValue) -> Option<Value> {
    let text = value.get();
    let may_be_null = text.len() <= LONGEST && text.contains(NULL);
    if may_be_null { serde_json::from_str(text).ok() } else { None }
}

fn is_marker(value: &Value) -> bool {
    value.as_str() == Some(NULL)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_marker_is_nested_in_language_maps_and_lists_only() {
        let members = ["value", "object", "json", "vocab", "languageMap", "valueList", "objectList"];
        let deletes = |text: &str| -> Vec<&str> {
            let value: &RawValue = serde_json::from_str(text).unwrap();
            assert_eq!(is_null_marker(value), text == r#""urn:ngsi-ld:null""#);
            members.into_iter().filter(|member| is_null_value(member, value)).collect()
        };
        assert_eq!(deletes(r#""urn:ngsi-ld:null""#), members);
        for map in [r#"{"@none":"urn:ngsi-ld:null"}"#, r#"{ "en" : "urn:ngsi-ld:null" }"#] {
            assert_eq!(deletes(map), ["languageMap"]);
        }
        assert_eq!(deletes(r#"["urn:ngsi-ld:null"]"#), ["valueList", "objectList"]);
        for text in [r#""urn:ngsi-ld:null:1""#, "null", "[]", "{}", r#"{"en":"urn:ngsi-ld:null","ja":"x"}"#, "7"] {
            assert!(deletes(text).is_empty(), "{text}");
        }
    }
}
