use serde_json::value::RawValue;

/// An entity before and after a change. Filters judge both, and a view of the whole entity shows what it is after, or is at present.
#[derive(Clone, Debug)]
pub struct EntityStates {
    /// The entity before the change.
    pub before: FormerState,
    /// All attributes after the change, a JSON object. `None` if the entity is deleted.
    pub after: Option<Box<RawValue>>,
    /// True if an earlier attempt may have delivered the change. Without the state, which could perhaps not be written then, its
    /// data decided which subscriptions it matched.
    pub may_be_repeated: bool,
}

/// The entity as it is some time after a change.
#[derive(Clone, Debug)]
pub struct PresentEntity {
    /// All its attributes, a JSON object. `None`: it is gone.
    pub data: Option<Box<RawValue>>,
    /// True if not all its attributes may be known.
    pub is_partial: bool,
}

/// An entity before a change.
#[derive(Clone, Debug)]
pub enum FormerState {
    /// There was no such entity, or it was too large to be kept already, and left then.
    Absent,
    /// All its attributes, a JSON object.
    Data(Box<RawValue>),
    /// The change may be repeated, and others have overwritten what was before it. A subscription may have matched.
    Unknown,
}
