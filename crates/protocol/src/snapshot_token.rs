use serde::{Deserialize, Serialize};

use crate::limits::SNAPSHOT_TOKEN_LENGTH;

/// The place at which the next part of a snapshot begins. Clients give it back as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SnapshotToken(String);

/// The text is no token of a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a token of a snapshot has 1 to {SNAPSHOT_TOKEN_LENGTH} letters, digits and punctuation marks of ASCII")]
pub struct InvalidSnapshotToken;

impl SnapshotToken {
    /// Reads a token, which may be one of a newer server.
    ///
    /// # Errors
    /// [`InvalidSnapshotToken`] for any text other than 1 to 4,096 printable characters of ASCII.
    pub fn parse(text: impl Into<String>) -> Result<Self, InvalidSnapshotToken> {
        let text = text.into();
        let is_valid =
            (1..=SNAPSHOT_TOKEN_LENGTH).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        if is_valid { Ok(Self(text)) } else { Err(InvalidSnapshotToken) }
    }

    /// The token as the server gave it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for SnapshotToken {
    type Error = InvalidSnapshotToken;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(text)
    }
}

impl From<SnapshotToken> for String {
    fn from(token: SnapshotToken) -> Self {
        token.0
    }
}
