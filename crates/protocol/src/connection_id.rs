use std::fmt;

/// API Gateway's id of one WebSocket connection: URL-safe base64, 16 characters today.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionId(String);

/// The text is not a connection id of API Gateway's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a connection id is 1 to 128 of A-Z a-z 0-9 _ - =")]
pub struct InvalidConnectionId;

impl ConnectionId {
    /// The longest valid id. API Gateway's ids have 16 characters; its documentation names no limit.
    const LENGTH: usize = 128;

    /// Reads an id.
    ///
    /// # Errors
    /// [`InvalidConnectionId`] for any text other than 1 to 128 of `A-Z a-z 0-9 _ - =`.
    pub fn parse(text: impl Into<String>) -> Result<Self, InvalidConnectionId> {
        let text = text.into();
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'=');
        if (1..=Self::LENGTH).contains(&text.len()) && text.bytes().all(allowed) {
            Ok(Self(text))
        } else {
            Err(InvalidConnectionId)
        }
    }

    /// The id as API Gateway gave it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<ConnectionId> for String {
    fn from(id: ConnectionId) -> Self {
        id.0
    }
}

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_only_ids_of_api_gateway() {
        assert!(ConnectionId::parse("XyZ12cdeIAMCJ1g=").is_ok());
        assert!(ConnectionId::parse("a-b_c=").is_ok());
        for text in ["", "a#b", "a/b", "a b", "é"] {
            assert_eq!(ConnectionId::parse(text), Err(InvalidConnectionId), "{text:?}");
        }
        assert!(ConnectionId::parse("a".repeat(129)).is_err());
    }
}
