use std::fmt;

use serde::{Deserialize, Serialize};

use crate::change_type::ChangeType;

/// The kind of a message about an entity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum EventType {
    /// The entity is new.
    EntityCreated,
    /// Some of its attributes changed.
    EntityUpdated,
    /// The entity was deleted.
    EntityDeleted,
    /// A change after which the entity no longer matches the `q` or `geoQ` of the subscriptions. The message has no data.
    EntityLeft,
    /// The entity as it is now, whether it has changed or not.
    EntitySnapshot,
}

impl EventType {
    /// All kinds.
    pub const ALL: [Self; 5] =
        [Self::EntityCreated, Self::EntityUpdated, Self::EntityDeleted, Self::EntityLeft, Self::EntitySnapshot];

    /// The name on the wire, `entityCreated` and so on.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::EntityCreated => ChangeType::EntityCreated.as_str(),
            Self::EntityUpdated => ChangeType::EntityUpdated.as_str(),
            Self::EntityDeleted => ChangeType::EntityDeleted.as_str(),
            Self::EntityLeft => "entityLeft",
            Self::EntitySnapshot => "entitySnapshot",
        }
    }
}

impl From<ChangeType> for EventType {
    fn from(change_type: ChangeType) -> Self {
        match change_type {
            ChangeType::EntityCreated => Self::EntityCreated,
            ChangeType::EntityUpdated => Self::EntityUpdated,
            ChangeType::EntityDeleted => Self::EntityDeleted,
        }
    }
}

impl fmt::Display for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
