//! Reduces attributes to their bare values. Source: ETSI GS CIM 009, section 4.5.4 (simplified); FIWARE-NGSI v2, "Simplified
//! Entity Representation" (keyValues).
//!
//! Invariant: a bare value is a part of the attribute's text, byte for byte. An attribute that has no known form stays as it
//! is, and that is right for values that are bare already.

use std::borrow::Cow;
use std::collections::HashSet;

use serde_json::value::RawValue;

use super::members::{JsonMembers, json_object, json_text};

/// The types of NGSI-LD attributes, each with the member that holds its value.
const NGSI_LD: [(&str, &str); 8] = [
    ("Property", "value"),
    ("GeoProperty", "value"),
    ("Relationship", "object"),
    ("LanguageProperty", "languageMap"),
    ("VocabProperty", "vocab"),
    ("JsonProperty", "json"),
    ("ListProperty", "valueList"),
    ("ListRelationship", "objectList"),
];

/// The members of an attribute that are read. Those after the first two hold values, in the order in which NGSI-LD's concise form is
/// searched for them.
const MEMBERS: [&str; 9] =
    ["datasetId", "type", "value", "object", "languageMap", "vocab", "json", "valueList", "objectList"];

/// The name that the default instance has among instances with a `datasetId`.
const DEFAULT_INSTANCE: &str = r#""@none""#;

/// One instance of an attribute.
struct AttributeInstance<'a> {
    value: &'a RawValue,
    /// The `datasetId`, a JSON string.
    dataset: Option<&'a RawValue>,
    /// The attribute has one of NGSI-LD's types.
    is_ngsi_ld: bool,
}

/// The bare value of an attribute. `None` if the attribute has no known form.
///
/// An attribute with a `datasetId`, or with several instances, becomes `{"dataset":{"urn:…":VALUE,"@none":VALUE}}`.
pub(super) fn bare(attribute: &RawValue) -> Option<Cow<'_, str>> {
    let json = attribute.get();
    if json.starts_with('{') {
        let instance = AttributeInstance::read(attribute)?;
        return if instance.dataset.is_some() {
            dataset(&[instance])
        } else {
            Some(Cow::Borrowed(instance.value.get()))
        };
    }
    if !json.starts_with('[') {
        return None;
    }
    let elements: Vec<&RawValue> = serde_json::from_str(json).ok()?;
    let instances = elements.into_iter().map(AttributeInstance::read).collect::<Option<Vec<_>>>()?;
    // An array of other objects is a bare value itself.
    if !instances.iter().all(|instance| instance.is_ngsi_ld || instance.dataset.is_some()) {
        return None;
    }
    match instances.as_slice() {
        [] => None,
        [only] if only.dataset.is_none() => Some(Cow::Borrowed(only.value.get())),
        several => dataset(several),
    }
}

/// All instances by their `datasetId`. `None` if two have the same.
fn dataset<'a>(instances: &[AttributeInstance<'a>]) -> Option<Cow<'a, str>> {
    let mut seen = HashSet::new();
    let name = |instance: &AttributeInstance<'a>| instance.dataset.map_or(DEFAULT_INSTANCE, RawValue::get);
    if !instances.iter().all(|instance| seen.insert(name(instance))) {
        return None;
    }
    let values = json_object(instances.iter().map(|instance| (name(instance), instance.value.get())));
    Some(Cow::Owned(json_object([(r#""dataset""#, values)])))
}

impl<'a> AttributeInstance<'a> {
    fn read(attribute: &'a RawValue) -> Option<Self> {
        let members = JsonMembers::read(attribute)?;
        let [dataset, attribute_type, values @ ..] = members.values(MEMBERS);
        // A `datasetId` that is no text names no instance.
        if dataset.is_some_and(|dataset| json_text(dataset).is_none()) {
            return None;
        }
        let attribute_type = match attribute_type {
            Some(name) => Some(json_text(name)?),
            None => None,
        };
        let value_of = |member: &str| {
            let (_, value) = MEMBERS[2..].iter().zip(values).find(|(name, _)| **name == member)?;
            value
        };
        let known = NGSI_LD.iter().find(|(name, _)| attribute_type.as_deref() == Some(name));
        let value = match (known, attribute_type) {
            (Some((_, member)), _) => value_of(member),
            // A type of NGSIv2.
            (None, Some(_)) => value_of("value"),
            // The concise form of NGSI-LD.
            (None, None) => values.into_iter().flatten().next(),
        };
        Some(Self { value: value?, dataset, is_ngsi_ld: known.is_some() })
    }
}
