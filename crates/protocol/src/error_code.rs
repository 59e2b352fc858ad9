use std::fmt;

use serde::{Deserialize, Serialize};

/// The reason for an `error` answer, for programs.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum ErrorCode {
    /// The frame is not JSON.
    InvalidJson,
    /// The frame is JSON but not a message of the contract.
    InvalidMessage,
    /// The contract has no such action.
    UnknownAction,
    /// `entityTypes` is invalid.
    InvalidEntityTypes,
    /// `idPattern` is invalid.
    InvalidIdPattern,
    /// `entityIds` is invalid.
    InvalidEntityIds,
    /// `q` is invalid.
    InvalidQ,
    /// `geoQ` is invalid.
    InvalidGeoQ,
    /// Another field of a subscription is invalid. The message names it.
    InvalidSubscription,
    /// `since` is invalid.
    InvalidSince,
    /// `next` is no token of a snapshot of this connection's subscriptions.
    InvalidSnapshotToken,
    /// The connection has no subscription of this name.
    NotSubscribed,
    /// The request needs a part of the service that is switched off.
    NotAvailable,
    /// The token is missing, invalid or expired.
    Unauthorized,
    /// The token is valid but does not allow this request.
    Forbidden,
    /// The message is larger than 128 KB.
    MessageTooLarge,
    /// The request would exceed a limit of the connection or of its subject.
    LimitExceeded,
    /// Other messages of the same connection kept changing it at the same time. The client can try again.
    Conflict,
    /// The connection is not registered any more. The client has to connect again.
    NotConnected,
    /// The service failed. The client can try again.
    Internal,
    /// A code that this version does not know, from a newer server. Servers never send it.
    Other(String),
}

impl ErrorCode {
    /// All codes of the contract, which are all but [`ErrorCode::Other`].
    pub const ALL: [Self; 20] = [
        Self::InvalidJson,
        Self::InvalidMessage,
        Self::UnknownAction,
        Self::InvalidEntityTypes,
        Self::InvalidIdPattern,
        Self::InvalidEntityIds,
        Self::InvalidQ,
        Self::InvalidGeoQ,
        Self::InvalidSubscription,
        Self::InvalidSince,
        Self::InvalidSnapshotToken,
        Self::NotSubscribed,
        Self::NotAvailable,
        Self::Unauthorized,
        Self::Forbidden,
        Self::MessageTooLarge,
        Self::LimitExceeded,
        Self::Conflict,
        Self::NotConnected,
        Self::Internal,
    ];

    /// The code on the wire.
    pub fn as_str(&self) -> &str {
        match self {
            Self::InvalidJson => "invalid_json",
            Self::InvalidMessage => "invalid_message",
            Self::UnknownAction => "unknown_action",
            Self::InvalidEntityTypes => "invalid_entity_types",
            Self::InvalidIdPattern => "invalid_id_pattern",
            Self::InvalidEntityIds => "invalid_entity_ids",
            Self::InvalidQ => "invalid_q",
            Self::InvalidGeoQ => "invalid_geo_q",
            Self::InvalidSubscription => "invalid_subscription",
            Self::InvalidSince => "invalid_since",
            Self::InvalidSnapshotToken => "invalid_snapshot_token",
            Self::NotSubscribed => "not_subscribed",
            Self::NotAvailable => "not_available",
            Self::Unauthorized => "unauthorized",
            Self::Forbidden => "forbidden",
            Self::MessageTooLarge => "message_too_large",
            Self::LimitExceeded => "limit_exceeded",
            Self::Conflict => "conflict",
            Self::NotConnected => "not_connected",
            Self::Internal => "internal",
            Self::Other(code) => code,
        }
    }
}

impl From<String> for ErrorCode {
    fn from(text: String) -> Self {
        Self::ALL.into_iter().find(|code| code.as_str() == text).unwrap_or(Self::Other(text))
    }
}

impl From<ErrorCode> for String {
    fn from(code: ErrorCode) -> Self {
        match code {
            ErrorCode::Other(code) => code,
            known => known.as_str().to_owned(),
        }
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_reads_back_from_its_text() {
        for code in ErrorCode::ALL {
            assert_eq!(ErrorCode::from(code.to_string()), code);
        }
        assert_eq!(ErrorCode::from("not_yet_known".to_owned()), ErrorCode::Other("not_yet_known".to_owned()));
    }
}
