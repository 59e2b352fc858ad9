use serde::{Deserialize, Serialize};

use crate::limits::REQUEST_ID_LENGTH;

/// A client's own name for a request: a string of at most 128 characters. The answer repeats it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RequestId(String);

/// The text is too long for a request id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("requestId has more than {REQUEST_ID_LENGTH} characters; use a shorter one")]
pub struct InvalidRequestId;

impl RequestId {
    /// Reads a request id. Any text of up to 128 characters is valid, the empty text included.
    ///
    /// # Errors
    /// [`InvalidRequestId`] if the text has more than 128 characters.
    pub fn parse(text: impl Into<String>) -> Result<Self, InvalidRequestId> {
        let text = text.into();
        if text.chars().count() <= REQUEST_ID_LENGTH { Ok(Self(text)) } else { Err(InvalidRequestId) }
    }

    /// The id as the client wrote it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for RequestId {
    type Error = InvalidRequestId;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(text)
    }
}

impl From<RequestId> for String {
    fn from(id: RequestId) -> Self {
        id.0
    }
}
