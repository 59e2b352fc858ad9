use serde_json::Value;
use serde_json::value::RawValue;

/// NGSI-LD's marker for deleted values.
/// Source: ETSI GS CIM 009, clause 4.5.0 (NGSI-LD Null) and clause 5.8.6.
const NULL: &str = "urn:ngsi-ld:null";
/// The longest text of a value that is examined: the marker in a language map or a list.
const LONGEST: usize = 256;

/// True if a value stands for something that was deleted: the marker, or an object or an array of nothing but markers.
pub(crate) fn is_null_marker(value: &RawValue) -> bool {
    let text = value.get();
    if text.len() > LONGEST || !text.contains(NULL) {
        return false;
    }
    let is_marker = |value: &Value| value.as_str() == Some(NULL);
    match serde_json::from_str(text) {
        Ok(Value::Array(values)) => values.iter().all(is_marker),
        Ok(Value::Object(values)) => values.values().all(is_marker),
        Ok(value) => is_marker(&value),
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_marker_has_four_forms() {
        let is = |text: &str| is_null_marker(serde_json::from_str(text).unwrap());
        for text in [
            r#""urn:ngsi-ld:null""#,
            r#"{"@none":"urn:ngsi-ld:null"}"#,
            r#"{ "en" : "urn:ngsi-ld:null" }"#,
            r#"["urn:ngsi-ld:null"]"#,
        ] {
            assert!(is(text), "{text}");
        }
        for text in [r#""urn:ngsi-ld:null:1""#, "null", "[]", "{}", r#"{"en":"urn:ngsi-ld:null","ja":"x"}"#, "7"] {
            assert!(!is(text), "{text}");
        }
    }
}
