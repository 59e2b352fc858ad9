use serde::Serialize;

/// The reason for which a message is in the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LetterKind {
    /// The broadcast function found the event malformed.
    Undeliverable,
    /// Some connections still have to receive the event. The message names them by the ranges of their hashes.
    Incomplete,
    /// Every invocation with the event failed, or the event became too old for another one.
    Failed,
    /// EventBridge could not invoke the function.
    Unreached,
    /// The message has no known form.
    Unknown,
}

impl LetterKind {
    /// The name, as lists show it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Undeliverable => "undeliverable",
            Self::Incomplete => "incomplete",
            Self::Failed => "failed",
            Self::Unreached => "unreached",
            Self::Unknown => "unknown",
        }
    }

    /// The reason why a replay has no use; nothing if it has one.
    pub fn useless_replay(self) -> Option<&'static str> {
        match self {
            Self::Undeliverable => Some("the event is malformed, so a replay would put it into the queue again"),
            Self::Unknown => Some("the message is not a dead letter of Entity Stream"),
            Self::Incomplete | Self::Failed | Self::Unreached => None,
        }
    }
}
