use serde::{Deserialize, Serialize};

/// The form of the attributes in an event's `data`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Representation {
    /// Byte for byte as published.
    #[default]
    Normalized,
    /// Each attribute as its bare value.
    KeyValues,
}

impl Representation {
    /// Reads a name of the contract, `normalized` or `keyValues`. Any other text is `None`.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Normalized, Self::KeyValues].into_iter().find(|form| form.as_str() == name)
    }

    /// The name in the contract.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Normalized => "normalized",
            Self::KeyValues => "keyValues",
        }
    }
}
