use std::fmt;

use serde::{Deserialize, Serialize};

use crate::limits::SUBSCRIPTION_NAME_LENGTH;

/// The name of a subscription of a connection: 1 to 64 of `A-Z a-z 0-9 _ - . :`. The default subscription has no name; lists
/// show it as an empty text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SubscriptionName(String);

/// The text is not the name of a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the name of a subscription has 1 to {SUBSCRIPTION_NAME_LENGTH} of the characters A-Z a-z 0-9 _ - . :")]
pub struct InvalidSubscriptionName;

impl SubscriptionName {
    /// The default subscription.
    pub const DEFAULT: Self = Self(String::new());

    /// Reads the name that a client gave.
    ///
    /// # Errors
    /// [`InvalidSubscriptionName`] if the text is empty, too long or has another character.
    pub fn parse(text: impl Into<String>) -> Result<Self, InvalidSubscriptionName> {
        let text = text.into();
        let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | ':');
        let is_valid = (1..=SUBSCRIPTION_NAME_LENGTH).contains(&text.len()) && text.chars().all(is_allowed);
        if is_valid { Ok(Self(text)) } else { Err(InvalidSubscriptionName) }
    }

    /// The name; empty for the default subscription.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// True for the default subscription, which has no name.
    pub fn is_default(&self) -> bool {
        self.0.is_empty()
    }
}

/// Reads a name as lists show it: an empty text is the default subscription.
impl TryFrom<String> for SubscriptionName {
    type Error = InvalidSubscriptionName;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if text.is_empty() { Ok(Self::DEFAULT) } else { Self::parse(text) }
    }
}

impl std::str::FromStr for SubscriptionName {
    type Err = InvalidSubscriptionName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl From<SubscriptionName> for String {
    fn from(name: SubscriptionName) -> Self {
        name.0
    }
}

impl fmt::Display for SubscriptionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_one_to_64_allowed_characters() {
        for name in ["map", "a", "A-Z_09.x:y", &"n".repeat(64)] {
            assert_eq!(SubscriptionName::parse(name).unwrap().as_str(), name);
        }
        for name in ["", "a b", "ä", "a#b", "a/b", &"n".repeat(65)] {
            assert_eq!(SubscriptionName::parse(name), Err(InvalidSubscriptionName), "{name}");
        }
    }

    #[test]
    fn the_default_subscription_is_an_empty_text_in_lists() {
        let names: Vec<SubscriptionName> = serde_json::from_str(r#"["","map"]"#).unwrap();
        assert!(names[0].is_default() && !names[1].is_default());
        assert_eq!(serde_json::to_string(&names).unwrap(), r#"["","map"]"#);
    }
}
