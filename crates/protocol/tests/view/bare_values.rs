//! `keyValues`: attributes in each form.

use entity_stream_protocol::{Representation, View};

use crate::shown;

/// An attribute in the representation `keyValues`.
fn bare(attribute: &str) -> String {
    let view = View::new([""; 0], Representation::KeyValues).unwrap();
    let data = shown(&view, &format!(r#"{{"a":{attribute}}}"#));
    data.strip_prefix(r#"{"a":"#).unwrap().strip_suffix('}').unwrap().to_owned()
}

#[test]
fn an_attribute_becomes_its_value() {
    let table = [
        (r#"{"type":"Property","value":1.50,"unitCode":"CEL","observedAt":"2026-01-01T00:00:00Z"}"#, "1.50"),
        (r#"{"value":12345678901234567890123,"type":"Property"}"#, "12345678901234567890123"),
        (r#"{"type":"Property","value":{"b" : [1.0]}}"#, r#"{"b" : [1.0]}"#),
        (r#"{"type":"Property","value":null}"#, "null"),
        (r#"{"type":"Relationship","object":"urn:1"}"#, r#""urn:1""#),
        (r#"{"type":"Relationship","object":["urn:1","urn:2"],"value":5}"#, r#"["urn:1","urn:2"]"#),
        (
            r#"{"type":"GeoProperty","value":{"type":"Point","coordinates":[1.0,2]}}"#,
            r#"{"type":"Point","coordinates":[1.0,2]}"#,
        ),
        (r#"{"type":"LanguageProperty","languageMap":{"en":"x"}}"#, r#"{"en":"x"}"#),
        (r#"{"type":"VocabProperty","vocab":"x"}"#, r#""x""#),
        (r#"{"type":"JsonProperty","json":{"value":1}}"#, r#"{"value":1}"#),
        (r#"{"type":"ListProperty","valueList":[1,2]}"#, "[1,2]"),
        (r#"{"type":"ListRelationship","objectList":[{"object":"urn:1"}]}"#, r#"[{"object":"urn:1"}]"#),
        (r#"{"\u0074ype":"Propert\u0079","valu\u0065":1}"#, "1"),
        // Concise.
        (r#"{"value":5,"unitCode":"CEL"}"#, "5"),
        (r#"{"object":"urn:1"}"#, r#""urn:1""#),
        (r#"{"languageMap":{"en":"x"},"observedAt":"2026"}"#, r#"{"en":"x"}"#),
        (r#"{"vocab":"x"}"#, r#""x""#),
        (r#"{"json":[1]}"#, "[1]"),
        (r#"{"valueList":[1]}"#, "[1]"),
        (r#"{"objectList":["urn:1"]}"#, r#"["urn:1"]"#),
        // NGSIv2.
        (r#"{"type":"Number","value":7.0,"metadata":{"unit":{"type":"Text","value":"C"}}}"#, "7.0"),
        (r#"{"type":"geo:point","value":"1, 2"}"#, r#""1, 2""#),
        (r#"{"type":"StructuredValue","value":[{"value":1}],"metadata":{}}"#, r#"[{"value":1}]"#),
        // Several instances.
        (r#"[{"type":"Property","value":1}]"#, "1"),
        (
            r#"[{"type":"Property","value":1.0},{"type":"Property","value":2,"datasetId":"urn:a"}]"#,
            r#"{"dataset":{"@none":1.0,"urn:a":2}}"#,
        ),
        (
            r#"[{"value":1,"datasetId":"urn:b"},{"object":"urn:1","datasetId":"urn:a"}]"#,
            r#"{"dataset":{"urn:b":1,"urn:a":"urn:1"}}"#,
        ),
        (r#"[{"value":1,"datasetId":"urn:b"}]"#, r#"{"dataset":{"urn:b":1}}"#),
        (r#"{"type":"Property","value":1,"datasetId":"urn:b"}"#, r#"{"dataset":{"urn:b":1}}"#),
    ];
    for (attribute, expected) in table {
        assert_eq!(bare(attribute), expected, "{attribute}");
    }
}

#[test]
fn a_bare_value_stays() {
    let values = [
        "1.0",
        "null",
        "true",
        r#""text""#,
        "[]",
        "{}",
        "[1, 2]",
        r#"[{"value":1},{"value":2}]"#,
        r#"[{"type":"Property","value":1}, 5]"#,
        r#"{"type":"Point","coordinates":[1,2]}"#,
        r#"{"dataset":{"@none":1}}"#,
        r#"{"street":"x","number":5}"#,
        r#"{"type":"PostalAddress","street":"x"}"#,
        r#"{"type":5,"value":1}"#,
        r#"{"type":"Relationship","value":1}"#,
        r#"{"type":"Property","value":1,"datasetId":5}"#,
        r#"[{"type":"Property","value":1},{"type":"Property","value":2}]"#,
        r#"[{"type":"Property","value":1,"datasetId":"urn:a"},{"type":"Property","value":2,"datasetId":"urn:a"}]"#,
    ];
    for value in values {
        assert_eq!(bare(value), value);
    }
}

#[test]
fn the_members_of_the_entity_itself_are_no_attributes() {
    let view = View::new(["a"], Representation::KeyValues).unwrap();
    let data = r#"{"id":"urn:1","type":"Room","@context":{"value":"x"},"a":{"value":1},"b":{"value":2}}"#;
    assert_eq!(shown(&view, data), r#"{"id":"urn:1","type":"Room","@context":{"value":"x"},"a":1}"#);
}
