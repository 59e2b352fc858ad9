//! Finds the value and the sub-attributes of an attribute, whatever form the publisher uses.
//!
//! Each attribute is read by its own form:
//!
//! | form | example | value |
//! |---|---|---|
//! | NGSI-LD normalized | `{"type":"Relationship","object":"urn:a"}` | the member that belongs to the type |
//! | NGSI-LD concise | `{"languageMap":{"en":"red"}}` | the member, which tells the type |
//! | NGSIv2 normalized | `{"type":"Number","value":7,"metadata":{}}` | `value` |
//! | keyValues | `7` | the whole |
//! | several instances | `[{"value":7,"datasetId":"urn:a"},{"value":8}]` | the value of each |
//! | the same as keyValues | `{"dataset":{"urn:a":7,"@none":8}}` | the value of each |
//!
//! Invariant: a function looks at the members of one object only, or at the elements of one array. So the cost of a
//! query grows with the size of the attributes that it names, and not faster.
//!
//! Source: ETSI GS CIM 009 V1.9.1, clauses 4.5.1 to 4.5.5 and 4.5.18 to 4.5.24; NGSIv2, "Attribute JSON
//! Representation".

use std::slice;

use serde_json::{Map, Value};

use crate::limits::QUERY_VALUES;

/// The types of NGSI-LD, each with the member that holds its value.
const VALUE_MEMBERS: [(&str, &str); 8] = [
    ("Property", "value"),
    ("GeoProperty", "value"),
    ("Relationship", "object"),
    ("LanguageProperty", LANGUAGE_MAP),
    ("VocabProperty", "vocab"),
    ("JsonProperty", "json"),
    ("ListProperty", "valueList"),
    ("ListRelationship", "objectList"),
];

const LANGUAGE_MAP: &str = "languageMap";

/// The instances of an attribute. An array is an attribute with several instances if all its elements are attributes, and
/// one of them has a `datasetId` or all have types of NGSI-LD; any other array is a value, as is one with more instances
/// than a query visits.
pub(crate) fn instances(attribute: &Value) -> impl Iterator<Item = &Value> {
    let (elements, by_dataset) = match attribute {
        Value::Array(elements) if are_instances(elements) => (elements.as_slice(), None),
        Value::Object(members) => match members.get("dataset") {
            Some(Value::Object(by_dataset)) if members.len() == 1 => (&[][..], Some(by_dataset)),
            _ => (slice::from_ref(attribute), None),
        },
        _ => (slice::from_ref(attribute), None),
    };
    elements.iter().chain(by_dataset.into_iter().flat_map(Map::values))
}

fn are_instances(elements: &[Value]) -> bool {
    elements.len() <= QUERY_VALUES
        && elements.iter().all(|element| attribute_of(element).is_some())
        && (elements.iter().any(|element| element.get("datasetId").is_some())
            || !elements.is_empty() && elements.iter().all(has_ngsi_ld_type))
}

fn has_ngsi_ld_type(element: &Value) -> bool {
    let name = element.get("type").and_then(Value::as_str);
    VALUE_MEMBERS.iter().any(|(known, _)| name == Some(known))
}

/// The value of an instance.
pub(crate) fn value_of(instance: &Value) -> &Value {
    attribute_of(instance).and_then(|(members, value)| members.get(value)).unwrap_or(instance)
}

/// The texts of an instance by language, if it is a `LanguageProperty`.
pub(crate) fn language_map(instance: &Value) -> Option<&Map<String, Value>> {
    let (members, value) = attribute_of(instance)?;
    members.get(value).filter(|_| value == LANGUAGE_MAP)?.as_object()
}

/// A sub-attribute, an item of NGSIv2 metadata, or a member such as `observedAt`. The type, the value and `metadata`
/// itself are none of these. A bare value has none.
pub(crate) fn sub_attribute<'a>(instance: &'a Value, name: &str) -> Option<&'a Value> {
    let (members, value) = attribute_of(instance)?;
    let metadata = members.get("metadata").and_then(|metadata| metadata.get(name));
    let is_own = name == "type" || name == value || name == "metadata";
    metadata.or_else(|| members.get(name).filter(|_| !is_own))
}

/// The members of an attribute, and the name of the one that holds the value. `None` for a bare value.
fn attribute_of(instance: &Value) -> Option<(&Map<String, Value>, &'static str)> {
    let members = instance.as_object()?;
    let has = |member: &&str| members.contains_key(*member);
    let member = match members.get("type") {
        Some(Value::String(name)) => {
            let known = VALUE_MEMBERS.iter().find(|(known, _)| known == name);
            known.map(|(_, member)| *member).filter(has).or(Some("value").filter(has))
        }
        Some(_) => Some("value").filter(has),
        None => VALUE_MEMBERS.iter().map(|(_, member)| *member).find(has),
    };
    Some((members, member?))
}
