use entity_stream_publisher::UnpublishableChange;

/// An entity of a notification that cannot be published, or that the bus refused.
#[derive(Debug)]
pub struct RefusedEntity {
    /// The place of the entity in the notification, from 0.
    pub index: usize,
    /// The id, if it could be read.
    pub id: Option<String>,
    /// The reason.
    pub fault: EntityFault,
}

/// The reason why an entity cannot be published. It repeats no value.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EntityFault {
    /// It is not a JSON object.
    #[error("the entity is not a JSON object")]
    NotAnObject,
    /// It has no id.
    #[error("the entity has no id: expected a string in the member id")]
    NoId,
    /// It has no type.
    #[error("the entity has no type: expected a string or an array in the member type")]
    NoType,
    /// Its type is malformed.
    #[error("the entity's type is a string of 1 to 256 characters, or an array of 1 to 50 of them")]
    Type,
    /// The sender may not publish to its service path.
    #[error("this identity may not publish to the entity's service path")]
    ServicePath,
    /// The contract, or the limits of EventBridge, do not allow the change.
    #[error(transparent)]
    Change(#[from] UnpublishableChange),
    /// The bus refused the change for good.
    #[error("the event bus refused the entity: {code}")]
    Bus {
        /// EventBridge's error code.
        code: String,
    },
}

impl EntityFault {
    /// True if the entity is larger than an event may be.
    pub fn is_size(&self) -> bool {
        matches!(self, Self::Change(UnpublishableChange::TooLarge { .. }))
    }
}
