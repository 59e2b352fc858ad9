use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// The effect of a change on the state of its entity.
#[derive(Clone, Debug)]
pub struct Revision {
    /// The version of the entity after the change. It grows by one with each change of the entity.
    pub version: u64,
    /// True if the change is older than another one that the state had already.
    pub is_late: bool,
    /// True if the service does not know the whole entity.
    pub is_partial: bool,
    /// The former values of the attributes that changed, a JSON object. `None` if there are none, or if they are not known.
    pub previous: Option<Box<RawValue>>,
}

/// Says in an event that its entity has no state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum StateNotice {
    /// The entity is too large to be kept, or its state could not be written.
    Unavailable,
    /// A notice that this version does not know, from a newer server. Servers never send it.
    #[serde(other)]
    Other,
}
