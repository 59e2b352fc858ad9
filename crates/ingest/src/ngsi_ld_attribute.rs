use std::borrow::Cow;

use entity_stream_protocol::{JsonMembers, json_object, json_text};
use serde_json::value::RawValue;

use crate::ld_instances::LdInstances;
use crate::null_marker::{NULL, is_null_marker, is_null_value};
use crate::uncertain_time::{newest, time};

/// The types of NGSI-LD attributes.
const TYPES: [&str; 9] = [
    "Property",
    "GeoProperty",
    "Relationship",
    "LanguageProperty",
    "VocabProperty",
    "JsonProperty",
    "ListProperty",
    "ListRelationship",
    "TemporalProperty",
];
/// The members that hold the value of an attribute.
const VALUES: [&str; 8] = ["value", "object", "languageMap", "vocab", "vocabMap", "json", "valueList", "objectList"];
/// The members that hold its former value, if the subscription asks for changes (`showChanges`).
const FORMER_VALUES: [&str; 8] = [
    "previousValue",
    "previousObject",
    "previousLanguageMap",
    "previousVocab",
    "previousVocabMap",
    "previousJson",
    "previousValueList",
    "previousObjectList",
];

/// An attribute of NGSI-LD, with all its instances.
///
/// Source: ETSI GS CIM 009, clauses 4.5.1 to 4.5.24 (representations) and 5.8.6 (notifications).
#[derive(Default)]
pub(crate) struct LdAttribute<'a> {
    /// The JSON without the instances that were deleted. `None`: the attribute was deleted.
    pub(crate) json: Option<Cow<'a, str>>,
    /// True if it has a former value.
    pub(crate) has_former: bool,
    /// True if some of its instances were deleted, and others were not.
    pub(crate) lost_instance: bool,
    pub(crate) created: Option<Cow<'a, str>>,
    pub(crate) modified: Option<Cow<'a, str>>,
    pub(crate) observed: Option<Cow<'a, str>>,
}

impl<'a> LdAttribute<'a> {
    /// Reads an attribute in any representation.
    pub(crate) fn read(attribute: &'a RawValue) -> Self {
        let text = attribute.get();
        if text.starts_with('{') {
            return Self::dataset(attribute).unwrap_or_else(|| Self::instance(attribute));
        }
        if is_null_marker(attribute) {
            return Self::default();
        }
        let whole = Self { json: Some(Cow::Borrowed(text)), ..Self::default() };
        let Some(LdInstances(instances)) = LdInstances::read(attribute) else { return whole };
        let instances: Vec<Self> = instances.into_iter().map(Self::instance).collect();
        let kept: Vec<&str> = instances.iter().filter_map(|instance| instance.json.as_deref()).collect();
        let json = match kept.len() {
            0 => None,
            number if number == instances.len() => Some(Cow::Borrowed(text)),
            _ => Some(Cow::Owned(format!("[{}]", kept.join(",")))),
        };
        let lost_instance = !kept.is_empty() && kept.len() < instances.len();
        let has_former = instances.iter().any(|instance| instance.has_former);
        let mut times = (Vec::new(), Vec::new(), Vec::new());
        for instance in instances {
            times.0.extend(instance.created);
            times.1.extend(instance.modified);
            times.2.extend(instance.observed);
        }
        let (created, modified, observed) = (newest(times.0), newest(times.1), newest(times.2));
        Self { json, has_former, lost_instance, created, modified, observed }
    }

    /// Reads one instance. A value that is no attribute tells nothing.
    fn instance(instance: &'a RawValue) -> Self {
        let mut read = Self { json: Some(Cow::Borrowed(instance.get())), ..Self::default() };
        let Some(members) = JsonMembers::read(instance) else { return read };
        let (mut has_type, mut is_deleted, mut has_former) = (false, false, false);
        let (mut has_value, mut is_null, mut deleted) = (false, false, None);
        for (key, member) in members.0 {
            let Some(name) = json_text(key) else { continue };
            match name.as_ref() {
                "type" => has_type = json_text(member).is_some_and(|name| TYPES.contains(&name.as_ref())),
                "deletedAt" => {
                    is_deleted = true;
                    deleted = time(member);
                }
                "createdAt" => read.created = time(member),
                "modifiedAt" => read.modified = time(member),
                "observedAt" => read.observed = time(member),
                name if VALUES.contains(&name) => {
                    (has_value, is_null) = (true, is_null_value(name, member));
                }
                name if FORMER_VALUES.contains(&name) => has_former = true,
                _ => {}
            }
        }
        if !has_type && !has_value {
            return Self { json: read.json, ..Self::default() };
        }
        if has_type && is_deleted {
            read.modified = newest(read.modified.into_iter().chain(deleted));
        }
        if has_type && is_deleted || is_null {
            read.json = None;
        }
        read.has_former = has_former;
        read
    }

    /// Reads the instances of an attribute in the simplified representation, if some of them were deleted.
    /// Source: ETSI GS CIM 009, clause 4.5.4.
    fn dataset(attribute: &RawValue) -> Option<Self> {
        if !attribute.get().contains(NULL) {
            return None;
        }
        let members = JsonMembers::read(attribute)?;
        let [dataset] = members.values(["dataset"]);
        let instances = JsonMembers::read(dataset.filter(|_| members.0.len() == 1)?)?.0;
        let is_kept = |value: &RawValue| !is_null_marker(value) && LdAttribute::instance(value).json.is_some();
        let kept: Vec<_> = instances.iter().filter(|(_, value)| is_kept(value)).collect();
        if kept.len() == instances.len() {
            return None;
        }
        let json = json_object(kept.iter().map(|(name, value)| (name.get(), value.get())));
        let json = (!kept.is_empty()).then(|| Cow::Owned(format!(r#"{{"dataset":{json}}}"#)));
        Some(Self { lost_instance: json.is_some(), json, ..Self::default() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Option<String>, bool) {
        let attribute = LdAttribute::read(serde_json::from_str(text).unwrap());
        (attribute.json.map(Cow::into_owned), attribute.has_former)
    }

    #[test]
    fn an_attribute_stays_as_it_is_unless_it_was_deleted() {
        for text in [
            r#"{"type":"Property","value":1.0}"#,
            r#"{"value" : 12345678901234567890}"#,
            r#"[{"type":"Property","value":1,"datasetId":"urn:a"},{"type":"Property","value":2}]"#,
            r#"{"deletedAt":"2026-01-02T03:04:05Z"}"#,
            r#"["a",{"b":"urn:ngsi-ld:null"}]"#,
            r#"["urn:ngsi-ld:null"]"#,
            r#"{"type":"Property","value":{"a":"urn:ngsi-ld:null"}}"#,
            r#"{"type":"JsonProperty","json":["urn:ngsi-ld:null"]}"#,
            r#"{"dataset":{"@none":1,"urn:a":{"b":"urn:ngsi-ld:null"}}}"#,
            r#"{"dataset":{"@none":"urn:ngsi-ld:null"},"other":1}"#,
            r#"{"dataset":{"@none":{"dataset":{"@none":"urn:ngsi-ld:null"}}}}"#,
            r#"[{"type":"Property","value":"urn:ngsi-ld:null"},7]"#,
            "7",
            "\"text\"",
            "[]",
            "[ ]",
            "{}",
            "null",
        ] {
            assert_eq!(read(text), (Some(text.to_owned()), false), "{text}");
        }
        for text in [
            r#""urn:ngsi-ld:null""#,
            r#"{"type":"Property","value":"urn:ngsi-ld:null","previousValue":1}"#,
            r#"{"type":"Relationship","object":"urn:ngsi-ld:null"}"#,
            r#"{"type":"LanguageProperty","languageMap":{"@none":"urn:ngsi-ld:null"}}"#,
            r#"{"type":"LanguageProperty","languageMap":"urn:ngsi-ld:null"}"#,
            r#"{"type":"ListProperty","valueList":["urn:ngsi-ld:null"]}"#,
            r#"{"value":"urn:ngsi-ld:null"}"#,
            r#"{"dataset":{"@none":"urn:ngsi-ld:null","urn:a":{"languageMap":{"@none":"urn:ngsi-ld:null"}}}}"#,
            r#"{"type":"Property","deletedAt":"2026-01-02T03:04:05Z"}"#,
            r#"[{"type":"Property","value":"urn:ngsi-ld:null","datasetId":"urn:a"}]"#,
        ] {
            assert_eq!(read(text).0, None, "{text}");
        }
    }

    #[test]
    fn instances_that_were_deleted_go_and_the_others_stay() {
        let text =
            r#"[{"type":"Property","value":"urn:ngsi-ld:null","datasetId":"urn:a"},{"type":"Property","value":2.0}]"#;
        assert_eq!(
            read(text),
            (Some(r#"[{"type":"Property","value":2.0}]"#.to_owned()), false),
            "it has no former value"
        );
        let attribute = LdAttribute::read(serde_json::from_str(text).unwrap());
        assert!(attribute.lost_instance);
        let simplified = r#"{"dataset":{"@none":54.50,"urn:gps":"urn:ngsi-ld:null"}}"#;
        assert_eq!(read(simplified), (Some(r#"{"dataset":{"@none":54.50}}"#.to_owned()), false));
        assert!(LdAttribute::read(serde_json::from_str(simplified).unwrap()).lost_instance);
    }

    #[test]
    fn a_former_value_belongs_to_an_attribute() {
        assert!(read(r#"{"type":"Property","value":2,"previousValue":1}"#).1);
        assert!(read(r#"{"object":"urn:b","previousObject":"urn:a"}"#).1);
        assert!(!read(r#"{"previousValue":1}"#).1, "a bare value");
    }
}
