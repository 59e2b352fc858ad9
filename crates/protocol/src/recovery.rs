use std::fmt;

use serde::{Deserialize, Serialize};

/// The verdict on the events that a client missed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "RecoveryFields", into = "RecoveryFields")]
pub enum Recovery {
    /// The client has received every event that it asked for.
    Recovered {
        /// The number of events that were replayed, repeats included.
        replayed: u32,
    },
    /// The server cannot promise that, and has replayed nothing.
    NotRecovered(NotRecovered),
}

/// The reason why a client may have missed events.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum NotRecovered {
    /// The position is older than the history.
    Expired,
    /// More events match than are replayed, or there is more history than is read.
    TooMany,
    /// The position is not one of this service.
    UnknownPosition,
    /// The history is switched off, has not been written for long enough, or cannot be read.
    Unavailable,
    /// A reason that this version does not know, from a newer server. Servers never send it.
    Other(String),
}

impl NotRecovered {
    /// All reasons of the contract, which are all but [`NotRecovered::Other`].
    pub const ALL: [Self; 4] = [Self::Expired, Self::TooMany, Self::UnknownPosition, Self::Unavailable];

    /// The reason on the wire.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Expired => "expired",
            Self::TooMany => "too_many",
            Self::UnknownPosition => "unknown_position",
            Self::Unavailable => "unavailable",
            Self::Other(reason) => reason,
        }
    }
}

impl From<String> for NotRecovered {
    fn from(text: String) -> Self {
        Self::ALL.into_iter().find(|reason| reason.as_str() == text).unwrap_or(Self::Other(text))
    }
}

impl From<NotRecovered> for String {
    fn from(reason: NotRecovered) -> Self {
        match reason {
            NotRecovered::Other(reason) => reason,
            known => known.as_str().to_owned(),
        }
    }
}

impl fmt::Display for NotRecovered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The verdict on the wire.
#[derive(Serialize, Deserialize)]
struct RecoveryFields {
    recovered: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<NotRecovered>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    replayed: Option<u32>,
}

impl From<RecoveryFields> for Recovery {
    fn from(fields: RecoveryFields) -> Self {
        if fields.recovered {
            Self::Recovered { replayed: fields.replayed.unwrap_or_default() }
        } else {
            Self::NotRecovered(fields.reason.unwrap_or(NotRecovered::Unavailable))
        }
    }
}

impl From<Recovery> for RecoveryFields {
    fn from(recovery: Recovery) -> Self {
        match recovery {
            Recovery::Recovered { replayed } => Self { recovered: true, reason: None, replayed: Some(replayed) },
            Recovery::NotRecovered(reason) => Self { recovered: false, reason: Some(reason), replayed: None },
        }
    }
}
