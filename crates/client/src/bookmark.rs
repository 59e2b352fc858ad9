use entity_stream_protocol::{Position, Session, Since};
use serde::{Deserialize, Serialize};

/// The place of a stream in the history. A program that stores it can resume there later, also in another process, with
/// [`ClientBuilder::since`](crate::ClientBuilder::since).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bookmark {
    /// The greatest position that the stream has seen.
    pub position: Position,
    /// The session in which it saw it.
    pub session: Session,
}

impl Bookmark {
    /// The bookmark of an answer. `None` if the server keeps no history.
    pub(crate) fn of(position: Option<Position>, session: Option<Session>) -> Option<Self> {
        Some(Self { position: position?, session: session? })
    }
}

impl From<Bookmark> for Since {
    fn from(Bookmark { position, session }: Bookmark) -> Self {
        Self::Position { position, session }
    }
}
