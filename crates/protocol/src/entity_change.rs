use std::collections::HashMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::change_type::ChangeType;
use crate::entity_types::EntityTypes;
use crate::invalid_json::InvalidJson;
use crate::json::to_json;
use crate::limits::{CONTEXT_BYTES, ENTITY_ID_LENGTH, SERVICE_PATH_LENGTH, TIMESTAMP_LENGTH};
use crate::tenant::{InvalidTenant, Tenant};

/// One change of one entity: the `detail` of an EventBridge event.
///
/// Publishers write it with [`EntityChange::to_json`]; [`EntityChange::parse`] reads it and checks the limits.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EntityChange {
    /// The kind of change.
    #[serde(rename = "type")]
    pub change_type: ChangeType,
    /// The entity's tenant.
    pub tenant: Tenant,
    /// The `Fiware-ServicePath`; `/` if the publisher sent none.
    pub service_path: String,
    /// The entity's id: 1 to 2,048 characters.
    pub entity_id: String,
    /// The entity's type or types.
    #[serde(rename = "entityType")]
    pub entity_types: EntityTypes,
    /// The attributes, a JSON object, byte for byte as published.
    pub data: Box<RawValue>,
    /// The names of the attributes that changed. Only updates have them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changed_attributes: Option<Vec<String>>,
    /// The JSON-LD context of the names in `data`: a string, an array or an object of at most 8 KB, byte for byte as published.
    #[serde(rename = "@context", skip_serializing_if = "Option::is_none")]
    pub context: Option<Box<RawValue>>,
    /// The time of the change, as the publisher wrote it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<String>,
}

/// The published `detail` is invalid. Another delivery of the same event fails in the same way.
#[derive(Debug, thiserror::Error)]
pub enum UndeliverableChange {
    /// The detail is not JSON, or a field is missing.
    #[error("detail: {0}")]
    Malformed(#[from] InvalidJson),
    /// A field has the wrong type. The message does not repeat the value.
    #[error("detail.{field}: expected {expected}")]
    Field {
        /// The name of the field.
        field: &'static str,
        /// The form of its value.
        expected: &'static str,
    },
    /// The tenant's name is invalid.
    #[error("detail.tenant: {0}")]
    Tenant(#[from] InvalidTenant),
    /// The entity id is empty or too long.
    #[error("detail.entityId has 1 to {ENTITY_ID_LENGTH} characters")]
    EntityId,
    /// The service path is too long.
    #[error("detail.servicePath has at most {SERVICE_PATH_LENGTH} characters")]
    ServicePath,
    /// The timestamp is too long.
    #[error("detail.timestamp has at most {TIMESTAMP_LENGTH} characters")]
    Timestamp,
    /// The context has another type, or is too long.
    #[error("detail.@context is a string, an array or an object of at most {CONTEXT_BYTES} bytes")]
    Context,
    /// `data` is not an object.
    #[error("detail.data is a JSON object")]
    Data,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DetailFields {
    #[serde(rename = "type")]
    change_type: ChangeType,
    tenant: String,
    #[serde(default)]
    service_path: Option<String>,
    entity_id: String,
    entity_type: EntityTypes,
    #[serde(default)]
    data: Option<Box<RawValue>>,
    #[serde(default)]
    changed_attributes: Option<Vec<String>>,
    #[serde(default, rename = "@context")]
    context: Option<Box<RawValue>>,
    #[serde(default)]
    timestamp: Option<String>,
}

impl EntityChange {
    /// The event's `detail`.
    pub fn to_json(&self) -> String {
        to_json(self)
    }

    /// Reads an event's `detail`. Fields that are not part of the contract are ignored.
    ///
    /// # Errors
    /// [`UndeliverableChange`] names the field that is missing or invalid.
    pub fn parse(detail: &str) -> Result<Self, UndeliverableChange> {
        let fields: DetailFields = serde_json::from_str(detail).map_err(|error| explain(detail, &error))?;
        let id_length = fields.entity_id.chars().take(ENTITY_ID_LENGTH + 1).count();
        if !(1..=ENTITY_ID_LENGTH).contains(&id_length) {
            return Err(UndeliverableChange::EntityId);
        }
        // A truncated message still carries these two, so their lengths are limited.
        if is_longer(fields.service_path.as_deref(), SERVICE_PATH_LENGTH) {
            return Err(UndeliverableChange::ServicePath);
        }
        if is_longer(fields.timestamp.as_deref(), TIMESTAMP_LENGTH) {
            return Err(UndeliverableChange::Timestamp);
        }
        let is_context =
            |context: &RawValue| context.get().starts_with(['"', '[', '{']) && context.get().len() <= CONTEXT_BYTES;
        if fields.context.as_deref().is_some_and(|context| !is_context(context)) {
            return Err(UndeliverableChange::Context);
        }
        // serde reads `null` as `None`.
        let data = match fields.data {
            Some(data) if data.get().starts_with('{') => data,
            Some(_) => return Err(UndeliverableChange::Data),
            None => RawValue::from_string("{}".to_owned()).map_err(InvalidJson::from)?,
        };
        Ok(Self {
            change_type: fields.change_type,
            tenant: Tenant::parse(&fields.tenant)?,
            service_path: fields.service_path.unwrap_or_else(|| "/".to_owned()),
            entity_id: fields.entity_id,
            entity_types: fields.entity_type,
            data,
            changed_attributes: fields.changed_attributes.filter(|_| fields.change_type == ChangeType::EntityUpdated),
            context: fields.context,
            timestamp: fields.timestamp,
        })
    }
}

/// Finds the field that has the wrong type. The error of serde would repeat its value.
fn explain(detail: &str, error: &serde_json::Error) -> UndeliverableChange {
    let fields: HashMap<String, &RawValue> = serde_json::from_str(detail).unwrap_or_default();
    let wrong = FIELDS.iter().find(|(field, _, reads)| fields.get(*field).is_some_and(|value| !reads(value.get())));
    match wrong {
        Some((field, expected, _)) => UndeliverableChange::Field { field, expected },
        None => UndeliverableChange::Malformed(InvalidJson::new(error)),
    }
}

/// A field, the form of its value, and whether a text has this form.
type FieldForm = (&'static str, &'static str, fn(&str) -> bool);

/// The fields of [`DetailFields`] whose values can have the wrong type.
const FIELDS: [FieldForm; 7] = [
    ("type", "one of `entityCreated`, `entityUpdated`, `entityDeleted`", reads::<ChangeType>),
    ("tenant", "a string", reads::<String>),
    ("servicePath", "a string", reads::<Option<String>>),
    ("entityId", "a string", reads::<String>),
    (
        "entityType",
        "an entity type of 1 to 256 characters, or an array of at least one and at most 50",
        reads::<EntityTypes>,
    ),
    ("changedAttributes", "an array of strings", reads::<Option<Vec<String>>>),
    ("timestamp", "a string", reads::<Option<String>>),
];

fn reads<T: DeserializeOwned>(text: &str) -> bool {
    serde_json::from_str::<T>(text).is_ok()
}

fn is_longer(text: Option<&str>, characters: usize) -> bool {
    text.is_some_and(|text| text.chars().nth(characters).is_some())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn reason(detail: &str) -> String {
        EntityChange::parse(detail).unwrap_err().to_string()
    }

    #[test]
    fn the_error_names_the_field() {
        let full = r#"{"type":"entityUpdated","tenant":"t","entityId":"i","entityType":"T"}"#;
        assert!(EntityChange::parse(full).is_ok());
        for field in ["type", "tenant", "entityId", "entityType"] {
            let mut detail: serde_json::Map<String, serde_json::Value> = serde_json::from_str(full).unwrap();
            detail.remove(field);
            let reason = reason(&serde_json::to_string(&detail).unwrap());
            assert!(reason.contains(&format!("missing field `{field}`")), "{reason}");
        }
        assert!(reason(&full.replace("entityUpdated", "entityMoved")).contains("expected one of `entityCreated`"));
        assert!(reason(&full.replace("\"t\"", "\"a#b\"")).contains("detail.tenant: a tenant is"));
        assert!(reason(&full.replace("\"i\"", "\"\"")).contains("entityId"));
        assert!(reason(&full.replace("\"T\"", "[]")).contains("at least one"));
        let types = |n: usize| full.replace("\"T\"", &serde_json::json!(vec!["T"; n]).to_string());
        assert!(EntityChange::parse(&types(50)).is_ok());
        assert!(reason(&types(51)).contains("at most 50"), "{}", reason(&types(51)));
        let with = |context: &str| full.replace('}', &format!(r#","@context":{context}}}"#));
        let long = |bytes: usize| format!("\"{}\"", "x".repeat(bytes - 2));
        for context in ["null", r#"["https://c",{"a":"urn:a"}]"#, r#"{"a":"urn:a"}"#, &long(8 * 1024)] {
            assert!(EntityChange::parse(&with(context)).is_ok(), "{context}");
        }
        for context in ["7", "true", &long(8 * 1024 + 1)] {
            assert!(reason(&with(context)).contains("detail.@context"));
        }
        for (field, length) in [("servicePath", 1024), ("timestamp", 64)] {
            let with = |n: usize| full.replace('}', &format!(r#","{field}":"{}"}}"#, "é".repeat(n)));
            assert!(EntityChange::parse(&with(length)).is_ok());
            assert!(reason(&with(length + 1)).contains(&format!("detail.{field} has at most")));
        }
        assert!(reason(&full.replace("\"T\"", "7")).contains("detail.entityType: expected an entity type"));
        assert!(reason(&full.replace("}", r#","data":[1]}"#)).contains("detail.data"));
    }

    #[test]
    fn the_error_repeats_no_value() {
        const SECRET: &str = "4111-1111-1111-1111";
        let names = FIELDS.map(|(field, ..)| field);
        for field in names.into_iter().chain(["data", "@context"]) {
            for value in [
                serde_json::json!(SECRET),
                serde_json::json!([SECRET, 7]),
                serde_json::json!({ SECRET: SECRET }),
                serde_json::json!([[SECRET]]),
                serde_json::json!(41111111),
                serde_json::json!(format!("#{SECRET}, expected {SECRET}").repeat(100)),
            ] {
                let mut detail = serde_json::json!({
                    "type": "entityUpdated", "tenant": "t", "entityId": "i", "entityType": "T", "data": {}
                });
                detail[field] = value;
                let Err(error) = EntityChange::parse(&detail.to_string()) else { continue };
                let text = format!("{error} {error:?}");
                assert!(!text.contains("4111") && text.contains(field), "{text}");
            }
        }
        for detail in
            [format!("\"{SECRET}\""), format!("[\"{SECRET}\"]"), format!("{{\"{SECRET}\": {SECRET}"), SECRET.to_owned()]
        {
            assert!(!reason(&detail).contains("4111"), "{}", reason(&detail));
        }
    }

    #[test]
    fn optional_fields_have_defaults() {
        let change = EntityChange::parse(
            r#"{"type":"entityCreated","tenant":"T","entityId":"i","entityType":["A","B"],"data":null,"changedAttributes":["x"]}"#,
        )
        .unwrap();
        assert_eq!((change.service_path.as_str(), change.data.get()), ("/", "{}"));
        assert_eq!(change.tenant.as_str(), "t");
        assert_eq!(change.changed_attributes, None, "only updates have them");
        assert_eq!(change.entity_types.display(), "A, B");
    }

    #[test]
    fn keeps_data_byte_for_byte() {
        let data = r#"{"b": 1.0, "a":12345678901234567890123,  "e":1E5,"u":"\u00e9"}"#;
        let detail =
            format!(r#"{{"type":"entityUpdated","tenant":"t","entityId":"i","entityType":"T","data":{data}}}"#);
        assert_eq!(EntityChange::parse(&detail).unwrap().data.get(), data);
        let context = r#"["https://c.example.org/\u00e9" , {"a":"urn:a"}]"#;
        let detail = detail.replacen('{', &format!(r#"{{"@context":{context},"#), 1);
        assert_eq!(EntityChange::parse(&detail).unwrap().context.unwrap().get(), context);
    }

    proptest! {
        #[test]
        fn never_panics(detail in any::<String>()) {
            let _ = EntityChange::parse(&detail);
        }
    }
}
