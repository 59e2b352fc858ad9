use std::fmt;

use serde::{Deserialize, Serialize};

use crate::entity_type::EntityType;
use crate::limits::ENTITY_TYPES;

/// The type or types of one entity, in the form in which they were published: a string, or an array of strings (NGSI-LD
/// allows several types). It is never empty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum EntityTypes {
    /// Published as a string.
    One(EntityType),
    /// Published as an array.
    Many(Vec<EntityType>),
}

impl EntityTypes {
    /// The types, in the order in which they were published.
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
