use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The name of the context that always exists: the local system on its usual ports.
const LOCAL_CONTEXT: &str = "local";
/// The longest name, in characters.
const LONGEST_NAME: usize = 64;

/// The name of a context.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct ContextName(String);

impl ContextName {
    /// True if the name stands for the local system on its usual ports.
    pub(crate) fn is_local(&self) -> bool {
        self.0 == LOCAL_CONTEXT
    }
}

impl FromStr for ContextName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        let valid = !text.starts_with(['-', '.']) && (1..=LONGEST_NAME).contains(&text.len());
        if valid && text.bytes().all(is_allowed) {
            return Ok(Self(text.to_owned()));
        }
        Err(format!("the name of a context has 1 to {LONGEST_NAME} letters, digits, `-`, `_` or `.`"))
    }
}

impl TryFrom<String> for ContextName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<ContextName> for String {
    fn from(name: ContextName) -> Self {
        name.0
    }
}

impl fmt::Display for ContextName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_no_url_and_no_option() {
        for name in ["prod", "eu-west-1.prod_2", "local"] {
            assert!(name.parse::<ContextName>().is_ok(), "{name}");
        }
        for name in ["", "a b", "http://x", "-x", ".", "a/b", "ü", &"x".repeat(65)] {
            assert!(name.parse::<ContextName>().is_err(), "{name}");
        }
    }
}
