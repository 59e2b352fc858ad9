use std::fmt;

use serde::{Deserialize, Serialize};

use crate::limits::FILTER_ID_LENGTH;

/// The id of an entity that a subscription names: 1 to 512 characters.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EntityId(String);

/// The text is not the id of an entity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an entity id has 1 to {FILTER_ID_LENGTH} characters")]
pub struct InvalidEntityId;

impl EntityId {
    /// Reads an id. Any characters are valid.
    ///
    /// # Errors
    /// [`InvalidEntityId`] if the text is empty or has more than 512 characters.
    pub fn parse(text: impl Into<String>) -> Result<Self, InvalidEntityId> {
        let text = text.into();
        let is_short = text.len() <= FILTER_ID_LENGTH || text.chars().count() <= FILTER_ID_LENGTH;
        if text.is_empty() || !is_short { Err(InvalidEntityId) } else { Ok(Self(text)) }
    }

    /// The id.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for EntityId {
    type Error = InvalidEntityId;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(text)
    }
}

impl std::str::FromStr for EntityId {
    type Err = InvalidEntityId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl From<EntityId> for String {
    fn from(id: EntityId) -> Self {
        id.0
    }
}

impl fmt::Display for EntityId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
