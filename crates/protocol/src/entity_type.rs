use std::fmt;

use serde::{Deserialize, Serialize};

use crate::limits::ENTITY_TYPE_LENGTH;

/// The type of an entity, such as `Room` or `https://uri.example.org/Room`: 1 to 256 characters.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EntityType(String);

/// The text is not an entity type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an entity type has 1 to 256 characters")]
pub struct InvalidEntityType;

impl EntityType {
    /// Reads a type name. Any characters are valid.
    ///
    /// # Errors
    /// [`InvalidEntityType`] if the text is empty or has more than 256 characters.
    pub fn parse(text: impl Into<String>) -> Result<Self, InvalidEntityType> {
        let text = text.into();
        // A character has at least one byte, so a text of 256 bytes needs no count of its characters.
        let short_enough = text.len() <= ENTITY_TYPE_LENGTH || text.chars().count() <= ENTITY_TYPE_LENGTH;
        if text.is_empty() || !short_enough { Err(InvalidEntityType) } else { Ok(Self(text)) }
    }

    /// The type's name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for EntityType {
    type Error = InvalidEntityType;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(text)
    }
}

impl std::str::FromStr for EntityType {
    type Err = InvalidEntityType;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl From<EntityType> for String {
    fn from(value: EntityType) -> Self {
        value.0
    }
}

impl fmt::Display for EntityType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
