use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::limits::{ENTITY_ID_LENGTH, ENTITY_TYPES, SERVICE_PATH_LENGTH, TIMESTAMP_LENGTH};
use crate::{EntityType, Tenant};

/// What happened to an entity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ChangeType {
    /// The entity is new.
    EntityCreated,
    /// Some of its attributes changed.
    EntityUpdated,
    /// The entity is gone.
    EntityDeleted,
}

impl ChangeType {
    /// Every type there is: what the EventBridge rule matches in `detail.type`.
    pub const ALL: [Self; 3] = [Self::EntityCreated, Self::EntityUpdated, Self::EntityDeleted];

    /// The name on the wire, `entityCreated` and so on.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::EntityCreated => "entityCreated",
            Self::EntityUpdated => "entityUpdated",
            Self::EntityDeleted => "entityDeleted",
        }
    }
}

impl fmt::Display for ChangeType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The type or types of one entity, in the form they were published: a string, or an array of strings (NGSI-LD allows
/// several). Never empty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum EntityTypes {
    /// Published as a string.
    One(EntityType),
    /// Published as an array.
    Many(Vec<EntityType>),
}

impl EntityTypes {
    /// The types in the order they were published.
    pub fn iter(&self) -> std::slice::Iter<'_, EntityType> {
        match self {
            Self::One(one) => std::slice::from_ref(one).iter(),
            Self::Many(many) => many.iter(),
        }
    }

    /// The types joined by `, `, for people to read.
    pub fn display(&self) -> String {
        self.iter().map(EntityType::as_str).collect::<Vec<_>>().join(", ")
    }
}

impl<'de> Deserialize<'de> for EntityTypes {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct StringOrStrings;

        impl<'de> serde::de::Visitor<'de> for StringOrStrings {
            type Value = EntityTypes;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "an entity type, or an array of at least one and at most {ENTITY_TYPES}")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Self::Value, E> {
                EntityType::parse(text).map(EntityTypes::One).map_err(E::custom)
            }

            fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut many = Vec::new();
                while let Some(entity_type) = seq.next_element()? {
                    many.push(entity_type);
                    if many.len() > ENTITY_TYPES {
                        return Err(serde::de::Error::invalid_length(many.len(), &self));
                    }
                }
                if many.is_empty() {
                    return Err(serde::de::Error::invalid_length(0, &self));
                }
                Ok(EntityTypes::Many(many))
            }
        }

        deserializer.deserialize_any(StringOrStrings)
    }
}

/// One change of one entity: the `detail` of an EventBridge event.
#[derive(Clone, Debug)]
pub struct EntityChange {
    /// What happened.
    pub change_type: ChangeType,
    /// Whose entity it is.
    pub tenant: Tenant,
    /// The `Fiware-ServicePath`, `/` if none was published.
    pub service_path: String,
    /// The entity's id: 1 to 2,048 characters.
    pub entity_id: String,
    /// The entity's type or types.
    pub entity_types: EntityTypes,
    /// The attributes, a JSON object exactly as published: neither its key order nor its numbers are touched.
    pub data: Box<RawValue>,
    /// The attributes that changed; only ever present on updates.
    pub changed_attributes: Option<Vec<String>>,
    /// When it happened, as the publisher wrote it.
    pub timestamp: Option<String>,
}

/// Why a published `detail` can reach nobody. Repeating the delivery cannot help.
#[derive(Debug, thiserror::Error)]
pub enum UndeliverableChange {
    /// Not JSON, or a field is missing or of the wrong type.
    #[error("detail: {0}")]
    Malformed(#[from] serde_json::Error),
    /// The tenant is not a tenant's name.
    #[error("detail.tenant: {0}")]
    Tenant(#[from] crate::InvalidTenant),
    /// The entity id is empty or too long.
    #[error("detail.entityId has 1 to {ENTITY_ID_LENGTH} characters")]
    EntityId,
    /// The service path is too long.
    #[error("detail.servicePath has at most {SERVICE_PATH_LENGTH} characters")]
    ServicePath,
    /// The timestamp is too long.
    #[error("detail.timestamp has at most {TIMESTAMP_LENGTH} characters")]
    Timestamp,
    /// `data` is something other than an object.
    #[error("detail.data is a JSON object")]
    Data,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Detail {
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
    #[serde(default)]
    timestamp: Option<String>,
}

impl EntityChange {
    /// Reads an event's `detail`. Fields that are not part of the contract are ignored.
    ///
    /// # Errors
    /// [`UndeliverableChange`] says which field is missing or wrong.
    pub fn parse(detail: &str) -> Result<Self, UndeliverableChange> {
        let detail: Detail = serde_json::from_str(detail)?;
        let id_length = detail.entity_id.chars().take(ENTITY_ID_LENGTH + 1).count();
        if !(1..=ENTITY_ID_LENGTH).contains(&id_length) {
            return Err(UndeliverableChange::EntityId);
        }
        // What a message cannot do without has to fit into one.
        if is_longer(detail.service_path.as_deref(), SERVICE_PATH_LENGTH) {
            return Err(UndeliverableChange::ServicePath);
        }
        if is_longer(detail.timestamp.as_deref(), TIMESTAMP_LENGTH) {
            return Err(UndeliverableChange::Timestamp);
        }
        // `null` reads as no data at all: serde hands it over as `None`.
        let data = match detail.data {
            Some(data) if data.get().starts_with('{') => data,
            Some(_) => return Err(UndeliverableChange::Data),
            None => RawValue::from_string("{}".to_owned())?,
        };
        Ok(Self {
            change_type: detail.change_type,
            tenant: Tenant::parse(&detail.tenant)?,
            service_path: detail.service_path.unwrap_or_else(|| "/".to_owned()),
            entity_id: detail.entity_id,
            entity_types: detail.entity_type,
            data,
            changed_attributes: detail.changed_attributes.filter(|_| detail.change_type == ChangeType::EntityUpdated),
            timestamp: detail.timestamp,
        })
    }
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
    fn says_what_is_missing_or_wrong() {
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
        for (field, length) in [("servicePath", 1024), ("timestamp", 64)] {
            let with = |n: usize| full.replace('}', &format!(r#","{field}":"{}"}}"#, "é".repeat(n)));
            assert!(EntityChange::parse(&with(length)).is_ok());
            assert!(reason(&with(length + 1)).contains(&format!("detail.{field} has at most")));
        }
        assert!(reason(&full.replace("\"T\"", "7")).contains("an entity type, or an array"));
        assert!(reason(&full.replace("}", r#","data":[1]}"#)).contains("detail.data"));
    }

    #[test]
    fn fills_in_what_is_optional() {
        let change = EntityChange::parse(
            r#"{"type":"entityCreated","tenant":"T","entityId":"i","entityType":["A","B"],"data":null,"changedAttributes":["x"]}"#,
        )
        .unwrap();
        assert_eq!((change.service_path.as_str(), change.data.get()), ("/", "{}"));
        assert_eq!(change.tenant.as_str(), "t");
        assert_eq!(change.changed_attributes, None, "present on updates only");
        assert_eq!(change.entity_types.display(), "A, B");
    }

    #[test]
    fn keeps_data_byte_for_byte() {
        let data = r#"{"b": 1.0, "a":12345678901234567890123,  "e":1E5,"u":"\u00e9"}"#;
        let detail =
            format!(r#"{{"type":"entityUpdated","tenant":"t","entityId":"i","entityType":"T","data":{data}}}"#);
        assert_eq!(EntityChange::parse(&detail).unwrap().data.get(), data);
    }

    proptest! {
        #[test]
        fn never_panics(detail in any::<String>()) {
            let _ = EntityChange::parse(&detail);
        }
    }
}
