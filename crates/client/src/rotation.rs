//! The second connection of a stream, as its machine and its driver name it.

use std::time::Duration;

use entity_stream_protocol::ClientMessage;
use tokio::time::Instant;

use crate::error::ClientError;

/// The next connection.
#[derive(Debug, Default)]
pub(crate) enum ConnectionRotation {
    /// There is no connection to replace, or it does not have to be.
    #[default]
    None,
    Due(Instant),
    Opening {
        until: Instant,
    },
    Subscribing {
        until: Instant,
        has_asked: bool,
        token_left: Option<Duration>,
    },
}

/// An input from the next connection.
#[derive(Debug)]
pub(crate) enum ReplacementInput {
    /// It is open, with a token that lasts for this time.
    Opened(Option<Duration>),
    Failed(ClientError),
    Received(String),
}

/// What an input from the next connection leads to.
#[derive(Debug, Default)]
pub(crate) struct ReplacementEffects {
    /// A message for it.
    pub(crate) send: Option<ClientMessage>,
    /// True if it is the stream's connection from now on, and the former one is retired.
    pub(crate) replaces: bool,
    /// A message for the former one.
    pub(crate) farewell: Option<ClientMessage>,
}
