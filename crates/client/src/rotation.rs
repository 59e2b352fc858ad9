//! The second connection of a stream, as its machine and its driver name it.

use entity_stream_protocol::ClientMessage;
use tokio::time::Instant;

use crate::error::ClientError;
use crate::renewal::HeldToken;

/// The next connection.
#[derive(Debug, Default)]
pub(crate) enum ConnectionRotation {
    /// No connection has to be replaced.
    #[default]
    None,
    Due(Instant),
    Opening {
        until: Instant,
    },
    Subscribing {
        until: Instant,
        has_asked: bool,
        token: Option<HeldToken>,
    },
}

/// An input from the next connection.
#[derive(Debug)]
pub(crate) enum ReplacementInput {
    /// The connection is open, with this token.
    Opened(Option<HeldToken>),
    Failed(ClientError),
    Received(String),
}

/// The effects of an input from the next connection.
#[derive(Debug, Default)]
pub(crate) struct ReplacementEffects {
    /// A message for the next connection.
    pub(crate) send: Option<ClientMessage>,
    /// A message for the stream's connection, if the next one has failed.
    pub(crate) resume: Option<ClientMessage>,
    /// True if the next connection is the stream's from now on, and the former one is retired.
    pub(crate) replaces: bool,
    /// A message for the former one.
    pub(crate) farewell: Option<ClientMessage>,
}
