use std::fmt;

use serde::Serialize;

use crate::limits::TENANT_LENGTH;

/// A tenant's name in its canonical, lower-case form: 1 to 63 of `a-z 0-9 _ -`, starting with a letter, a digit or `_`.
///
/// Names are compared in lower case, like `Fiware-Service`. None of the characters has a meaning in a table key, so keys
/// hold tenants without escapes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct Tenant(String);

/// The text is not a tenant name. The message does not repeat the text, so clients may see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a tenant is 1 to 63 of A-Z a-z 0-9 _ -, starting with a letter, a digit or _")]
pub struct InvalidTenant;

impl Tenant {
    /// Reads a tenant name in any case.
    ///
    /// # Errors
    /// [`InvalidTenant`] for any text other than 1 to 63 of `A-Z a-z 0-9 _ -` that does not start with `-`.
    pub fn parse(text: &str) -> Result<Self, InvalidTenant> {
        let bytes = text.as_bytes();
        let starts_well = bytes.first().is_some_and(|first| *first != b'-');
        let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        if starts_well && bytes.len() <= TENANT_LENGTH && bytes.iter().all(allowed) {
            Ok(Self(text.to_ascii_lowercase()))
        } else {
            Err(InvalidTenant)
        }
    }

    /// The canonical name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Tenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::str::FromStr for Tenant {
    type Err = InvalidTenant;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn is_compared_in_lower_case() {
        assert_eq!(Tenant::parse("SmartCity"), Tenant::parse("smartcity"));
    }

    #[test]
    fn refuses_characters_of_other_table_keys() {
        for text in ["", "-a", "-", "a#b", "a b", "a*", "*", "ａ", "a\u{212a}", "a%23", "a/b", "a\0", "é"] {
            assert_eq!(Tenant::parse(text), Err(InvalidTenant), "{text:?}");
        }
        assert!(Tenant::parse(&"a".repeat(63)).is_ok());
        assert!(Tenant::parse(&"a".repeat(64)).is_err());
    }

    proptest! {
        #[test]
        fn accepts_the_names_of_the_contract_only(text in any::<String>()) {
            let contract = regex::Regex::new(r"\A[A-Za-z0-9_][A-Za-z0-9_-]{0,62}\z").unwrap();
            prop_assert_eq!(Tenant::parse(&text).is_ok(), contract.is_match(&text));
        }

        #[test]
        fn keeps_every_valid_name(text in "[A-Za-z0-9_][A-Za-z0-9_-]{0,62}") {
            let tenant = Tenant::parse(&text);
            prop_assert_eq!(tenant.map(|t| t.to_string()), Ok(text.to_ascii_lowercase()));
        }
    }
}
