use std::fmt;

use crate::limits::GROUP_ID_LENGTH;

/// The name of a consumer group, `group_id` in the URL: 1 to 128 of `A-Z a-z 0-9 _ - .`. Two tenants may use the same name
/// for two groups.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GroupId(String);

/// The text is not a group name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("group_id is 1 to 128 of A-Z a-z 0-9 _ - .")]
pub struct InvalidGroupId;

impl GroupId {
    /// Reads a group name.
    ///
    /// # Errors
    /// [`InvalidGroupId`] for any text other than 1 to 128 of `A-Z a-z 0-9 _ - .`.
    pub fn parse(text: impl Into<String>) -> Result<Self, InvalidGroupId> {
        let text = text.into();
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
        if (1..=GROUP_ID_LENGTH).contains(&text.len()) && text.bytes().all(allowed) {
            Ok(Self(text))
        } else {
            Err(InvalidGroupId)
        }
    }

    /// The group's name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for GroupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
