use serde::{Deserialize, Serialize};

use crate::position::Position;
use crate::session::Session;

/// The place in the history from which a `subscribe` asks for the events that its client has not seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, try_from = "SinceFields")]
pub enum Since {
    /// Resume: all events after a position.
    Position {
        /// The greatest position that the client has seen.
        position: Position,
        /// The session in which it saw it. The connection takes the place of the session's earlier connections.
        session: Session,
    },
    /// Rewind: everything that was published in the last seconds.
    Seconds {
        /// The number of seconds.
        seconds: u32,
    },
}

/// Both forms. serde would take the first form that it can read, and ignore the other one.
#[derive(Deserialize)]
struct SinceFields {
    position: Option<Position>,
    session: Option<Session>,
    seconds: Option<u32>,
}

impl TryFrom<SinceFields> for Since {
    type Error = &'static str;

    fn try_from(fields: SinceFields) -> Result<Self, Self::Error> {
        match fields {
            SinceFields { position: Some(position), session: Some(session), seconds: None } => {
                Ok(Self::Position { position, session })
            }
            SinceFields { position: None, session: None, seconds: Some(seconds) } => Ok(Self::Seconds { seconds }),
            _ => Err("since has a position with its session, or a number of seconds"),
        }
    }
}
