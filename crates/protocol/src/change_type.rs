use std::fmt;

use serde::{Deserialize, Serialize};

/// The kind of an entity change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ChangeType {
    /// The entity is new.
    EntityCreated,
    /// Some of its attributes changed.
    EntityUpdated,
    /// The entity was deleted.
    EntityDeleted,
}

impl ChangeType {
    /// All types. The EventBridge rule matches them in `detail.type`.
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
