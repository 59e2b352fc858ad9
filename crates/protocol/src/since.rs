use serde::{Deserialize, Serialize};

use crate::position::Position;
use crate::session::Session;

/// The place in the history from which a `subscribe` asks for the events that its client has not seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Since {
    /// Resume: everything after what the client had at a position.
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
