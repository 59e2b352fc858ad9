use std::fmt;

use serde::Deserialize;
use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;

use super::units::suffix;

/// An attribute's value for people. Of a normalized attribute of NGSI-LD or NGSIv2 it is the value with its unit, the id of
/// the related entity, or the names in all languages; of a geometry it is the coordinates. Other data is shown as it is.
/// A string has no escapes but those that it needs, because Python publishes each `室` as `\u5ba4`. Everything else keeps the
/// text that was published: no number is rewritten. The monitor page shows the same.
pub(super) fn readable(raw: &RawValue) -> String {
    let attribute = Members::of(raw);
    if let Some(value) = attribute.get("value") {
        return format!("{}{}", unescaped(coordinates(value).unwrap_or(value)), unit(&attribute).unwrap_or_default());
    }
    if let (Some(object), Some(r#""Relationship""#)) =
        (attribute.get("object"), attribute.get("type").map(RawValue::get))
    {
        // URIs need no quotes.
        return text(object).unwrap_or_else(|| object.get().to_owned());
    }
    if let Some(languages) = attribute.get("languageMap").filter(|map| map.get().starts_with('{')) {
        let names = Members::of(languages).0;
        return names.iter().map(|(_, name)| unescaped(name)).collect::<Vec<_>>().join(" / ");
    }
    unescaped(attribute.get("coordinates").unwrap_or(raw))
}

/// A string without the escapes that it does not need. Other values are as they were published.
fn unescaped(value: &RawValue) -> String {
    let written = text(value).and_then(|text| serde_json::to_string(&text).ok());
    written.unwrap_or_else(|| value.get().to_owned())
}

/// The unit of a normalized attribute: NGSI-LD's `unitCode`, or NGSIv2's metadata of this name.
fn unit(attribute: &Members<'_>) -> Option<String> {
    let of_v2 = || Members::of(Members::of(attribute.get("metadata")?).get("unitCode")?).get("value");
    let code = attribute.get("unitCode").or_else(of_v2)?;
    text(code).map(|code| suffix(&code))
}

fn coordinates(value: &RawValue) -> Option<&RawValue> {
    Members::of(value).get("coordinates")
}

fn text(value: &RawValue) -> Option<String> {
    serde_json::from_str(value.get()).ok()
}

/// The members of a JSON object in their order, with the text of each value.
#[derive(Default)]
pub(super) struct Members<'a>(pub(super) Vec<(String, &'a RawValue)>);

impl<'a> Members<'a> {
    /// The members of this value; none if it is no object.
    pub(super) fn of(value: &'a RawValue) -> Self {
        if value.get().starts_with('{') {
            serde_json::from_str(value.get()).unwrap_or_default()
        } else {
            Self::default()
        }
    }

    /// The value of a member. The last counts if there are several.
    pub(super) fn get(&self, name: &str) -> Option<&'a RawValue> {
        self.0.iter().rev().find(|(other, _)| other == name).map(|(_, value)| *value)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;

        impl<'de> Visitor<'de> for InOrder {
            type Value = Vec<(String, &'de RawValue)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(members)
            }
        }

        deserializer.deserialize_map(InOrder).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(json: &str) -> String {
        readable(&RawValue::from_string(json.to_owned()).unwrap())
    }

    #[test]
    fn an_attribute_of_either_format_is_its_value_with_its_unit() {
        for (json, expected) in [
            (r#"{"type":"Property","value":21.50,"unitCode":"CEL","observedAt":"2026-01-02T03:04:05Z"}"#, "21.50 °C"),
            (r#"{"type":"Property","value":7,"unitCode":"E34"}"#, "7 E34"),
            (r#"{"type":"Property","value":7,"unitCode":7}"#, "7"),
            (r#"{"type":"Number","value":43,"metadata":{"unitCode":{"type":"Text","value":"KMH"}}}"#, "43 km/h"),
            (r#"{"type":"Number","value":null,"metadata":{"unitCode":null}}"#, "null"),
            (r#"{"type":"Text","value":"a\nb","metadata":{}}"#, r#""a\nb""#),
            (r#"{"type":"GeoProperty","value":{"type":"Point","coordinates":[135.7,35.0]}}"#, "[135.7,35.0]"),
            (r#"{"type":"geo:json","value":{"type":"Point","coordinates":[1,2]},"metadata":{}}"#, "[1,2]"),
            (r#"{"type":"Point","coordinates":[1.0,2]}"#, "[1.0,2]"),
            (r#"{"type":"Relationship","object":"urn:ngsi-ld:Depot:001"}"#, "urn:ngsi-ld:Depot:001"),
            (r#"{"type":"Relationship","object":["urn:a","urn:b"]}"#, r#"["urn:a","urn:b"]"#),
            (
                r#"{"type":"LanguageProperty","languageMap":{"ja":"会議室","en":"Meeting room"}}"#,
                r#""会議室" / "Meeting room""#,
            ),
        ] {
            assert_eq!(shown(json), expected, "{json}");
        }
    }

    #[test]
    fn a_string_keeps_only_the_escapes_that_it_needs() {
        assert_eq!(shown(r#""\u4f1a\u8b70\u5ba4 \"A\"\n""#), r#""会議室 \"A\"\n""#);
        assert_eq!(shown(r#"{"type":"LanguageProperty","languageMap":{"ja":"\u5ba4"}}"#), r#""室""#);
        assert_eq!(shown(r#"{"value":"\ud800"}"#), r#""\ud800""#, "half of a character");
    }

    #[test]
    fn other_data_is_shown_as_it_is() {
        for json in
            ["1.0", "null", r#""x""#, "[1, 2]", "{}", r#"{"object":1}"#, r#"{"languageMap":1}"#, r#"{"a":{"value":1}}"#]
        {
            assert_eq!(shown(json), json);
        }
    }
}
