use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};

/// The verdict on the events that a client missed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(into = "RecoveryFields")]
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

/// The fields of a verdict in an answer, which may have none.
#[derive(Serialize, Deserialize)]
struct RecoveryFields {
    recovered: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<NotRecovered>,
    #[serde(skip_serializing_if = "Option::is_none")]
    replayed: Option<u32>,
}

impl RecoveryFields {
    fn verdict(self) -> Option<Recovery> {
        Some(if self.recovered? {
            Recovery::Recovered { replayed: self.replayed.unwrap_or_default() }
        } else {
            Recovery::NotRecovered(self.reason.unwrap_or(NotRecovered::Unavailable))
        })
    }
}

impl From<Recovery> for RecoveryFields {
    fn from(recovery: Recovery) -> Self {
        match recovery {
            Recovery::Recovered { replayed } => Self { recovered: Some(true), reason: None, replayed: Some(replayed) },
            Recovery::NotRecovered(reason) => Self { recovered: Some(false), reason: Some(reason), replayed: None },
        }
    }
}

/// Reads the verdict among the fields of an answer. serde would take a verdict that cannot be read for an absent one.
pub(crate) fn among_fields<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Recovery>, D::Error> {
    RecoveryFields::deserialize(deserializer).map(RecoveryFields::verdict)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(fields: &str) -> Option<Recovery> {
        let mut fields = serde_json::Deserializer::from_str(fields);
        among_fields(&mut fields).unwrap()
    }

    #[test]
    fn every_reason_reads_back_from_its_text() {
        for reason in NotRecovered::ALL {
            assert_eq!(NotRecovered::from(reason.to_string()), reason);
            assert_eq!(String::from(reason.clone()), reason.as_str());
        }
        assert_eq!(NotRecovered::from("not_yet_known".to_owned()), NotRecovered::Other("not_yet_known".to_owned()));
    }

    #[test]
    fn a_verdict_has_the_fields_of_the_contract() {
        for (recovery, text) in [
            (Recovery::Recovered { replayed: 0 }, r#"{"recovered":true,"replayed":0}"#),
            (Recovery::NotRecovered(NotRecovered::Expired), r#"{"recovered":false,"reason":"expired"}"#),
            (Recovery::NotRecovered(NotRecovered::Other("new".to_owned())), r#"{"recovered":false,"reason":"new"}"#),
        ] {
            assert_eq!(serde_json::to_string(&recovery).unwrap(), text);
            assert_eq!(read(text), Some(recovery));
        }
    }

    #[test]
    fn only_recovered_decides_a_verdict() {
        assert_eq!(read(r#"{"recovered":true}"#), Some(Recovery::Recovered { replayed: 0 }));
        assert_eq!(read(r#"{"recovered":true,"reason":"expired"}"#), Some(Recovery::Recovered { replayed: 0 }));
        let unavailable = Some(Recovery::NotRecovered(NotRecovered::Unavailable));
        assert_eq!(read(r#"{"recovered":false}"#), unavailable);
        assert_eq!(read(r#"{"recovered":false,"replayed":7}"#), unavailable);
        assert_eq!(read(r#"{"reason":"expired","replayed":7}"#), None);
    }
}
