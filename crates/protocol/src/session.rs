use std::fmt;

use serde::{Deserialize, Serialize};

use crate::connection_id::ConnectionId;

/// The name of a stream that may last for several connections. The server names a session after its first connection; a client
/// that comes back gives the name, so that its connection stands where the earlier one stood.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Session(String);

/// The text is not the name of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a session is 1 to 128 of A-Z a-z 0-9 _ - =")]
pub struct InvalidSession;

impl Session {
    /// Reads the name of a session.
    ///
    /// # Errors
    /// [`InvalidSession`] for any text other than 1 to 128 of `A-Z a-z 0-9 _ - =`.
    pub fn parse(text: impl Into<String>) -> Result<Self, InvalidSession> {
        ConnectionId::parse(text).map(Self::from).map_err(|_| InvalidSession)
    }

    /// The name as the server gave it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<ConnectionId> for Session {
    /// The session that begins with this connection.
    fn from(id: ConnectionId) -> Self {
        Self(id.into())
    }
}

impl TryFrom<String> for Session {
    type Error = InvalidSession;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(text)
    }
}

impl From<Session> for String {
    fn from(session: Session) -> Self {
        session.0
    }
}

impl fmt::Display for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_has_the_text_of_its_first_connection() {
        let connection = ConnectionId::parse("XyZ12cdeIAMCJ1g=").unwrap();
        let session = Session::from(connection);
        assert_eq!((session.as_str(), session.to_string()), ("XyZ12cdeIAMCJ1g=", "XyZ12cdeIAMCJ1g=".to_owned()));
        assert_eq!(Session::parse(session.as_str()), Ok(session.clone()));
        let text = serde_json::to_string(&session).unwrap();
        assert_eq!(text, r#""XyZ12cdeIAMCJ1g=""#);
        assert_eq!(serde_json::from_str::<Session>(&text).unwrap(), session);
    }

    #[test]
    fn other_text_is_no_session() {
        assert!(Session::parse("s".repeat(128)).is_ok());
        for text in ["", "a#b", "a/b", "a b", "é", "a\n", &"s".repeat(129)] {
            assert_eq!(Session::parse(text), Err(InvalidSession), "{text:?}");
            assert!(serde_json::from_value::<Session>(text.into()).is_err(), "{text:?}");
        }
    }
}
