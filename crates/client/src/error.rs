use std::time::Duration;
use std::{fmt, io};

use entity_stream_protocol::{
    CloseCode, ErrorCode, InvalidFilter, InvalidSubscriptionName, InvalidTenant, InvalidView, SubscriptionName,
};

use crate::credential::InvalidCredential;
use crate::dpop_key::NoRandomNumbers;
use crate::stream_url::InvalidStreamUrl;
use crate::subscription_limits::InvalidSubscriptions;

/// The reason for which a client has no stream. [`ClientError::is_temporary`] says whether another attempt may succeed.
///
/// Texts of the server in it have at most 200 characters, and no control characters. No error holds a credential.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The URL cannot be the URL of a stream.
    #[error(transparent)]
    Url(#[from] InvalidStreamUrl),
    /// The tenant's name is invalid.
    #[error(transparent)]
    Tenant(#[from] InvalidTenant),
    /// The filter is invalid.
    #[error(transparent)]
    Filter(#[from] InvalidFilter),
    /// The view is invalid.
    #[error(transparent)]
    View(#[from] InvalidView),
    /// The name of a subscription is invalid.
    #[error(transparent)]
    SubscriptionName(#[from] InvalidSubscriptionName),
    /// A member of a group cannot begin at a place in the history, because the group shares its events as they come.
    #[error("a member of a group cannot receive past events; leave out the group, or the place to begin at")]
    SinceInGroup,
    /// A member of a group cannot begin with a snapshot, because the other members get the changes of the same entities.
    #[error("a member of a group cannot receive a snapshot; leave out the group, or the snapshot")]
    SnapshotInGroup,
    /// A connection cannot have these subscriptions.
    #[error(transparent)]
    Subscriptions(#[from] InvalidSubscriptions),
    /// The credential cannot be sent.
    #[error(transparent)]
    Credential(#[from] InvalidCredential),
    /// The [token source](crate::ClientBuilder::token_source) failed. The text is the type of its error: the error itself may have a
    /// token, or a URL with one.
    #[error("the token source failed: {0}")]
    TokenUnavailable(&'static str),
    /// The token source returned the token that the server has refused.
    #[error("the server refused the token, and the token source returned the same one again")]
    TokenRefusedAgain,
    /// The token of the connection ended, and there was no other one in time.
    #[error("the token expired before the token source returned another one")]
    TokenExpired,
    /// The network or the operating system failed.
    #[error("{0}")]
    Network(#[source] io::Error),
    /// TLS failed, for example because the certificate is not valid for the host.
    #[error("the server's certificate or TLS is not acceptable: {0}")]
    Tls(String),
    /// The server answered the handshake with an HTTP status.
    #[error(transparent)]
    Handshake(#[from] HandshakeRefusal),
    /// The server closed the connection.
    #[error("the server closed the connection{}", close(.code, .reason))]
    Closed {
        /// The code of the close frame.
        code: CloseCode,
        /// The server's reason; empty if it gave none.
        reason: String,
    },
    /// The server rejected a request about subscriptions, or lost the connection's record.
    #[error("the server refused{}: {message}", subject(.subscription.as_ref()))]
    Rejected {
        /// The reason, for programs.
        code: ErrorCode,
        /// The reason, for people.
        message: String,
        /// The name of the subscription that is at fault. `None` if it is the default subscription, or the fault is none of
        /// one subscription.
        subscription: Option<SubscriptionName>,
    },
    /// The server refused to look for missed events again so soon. The stream keeps its place, and waits before the next attempt.
    #[error("the server looks for missed events once in 10 seconds: {0}")]
    TooSoon(String),
    /// The subject of the token has too many connections, as the answer to the first message says. A token in the handshake is
    /// refused with 429 instead, unless it is bound to a key.
    #[error("the server refuses the connection for now: {0}")]
    TooManyConnections(String),
    /// API Gateway failed to pass a request on to its function.
    #[error("the gateway says: {0}")]
    Gateway(String),
    /// The server did not answer in time.
    #[error("no answer in {} seconds", .0.as_secs())]
    Timeout(Duration),
    /// The server broke the WebSocket protocol.
    #[error("the server broke the WebSocket protocol: {0}")]
    Protocol(String),
}

/// An HTTP status in place of a WebSocket handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandshakeRefusal {
    /// The HTTP status.
    pub status: u16,
    /// The server's reason; empty if it gave none.
    pub reason: String,
    /// True if API Gateway itself refused, because it has no such stage, and not Entity Stream.
    pub by_gateway: bool,
}

/// The kinds of [`ClientError`] that a program may want to tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// An argument is invalid: the URL, the tenant, a subscription or the credential. The client sent
    /// nothing.
    InvalidArgument,
    /// The credential is missing, not accepted, expired, or for another tenant. A new credential may help.
    CredentialRefused,
    /// The server does not accept the tenant, a subscription, the group or the format.
    RequestRefused,
    /// The host answers, but not as Entity Stream does: the URL is wrong.
    NotFound,
    /// TLS failed.
    Tls,
    /// The network failed, or the host does not exist or does not listen. Temporary.
    Network,
    /// The server is overloaded, failed, or does not stream at the moment. Temporary.
    Unavailable,
    /// The server did not answer in time. Temporary.
    Timeout,
    /// The connection ended. Temporary.
    Disconnected,
}

impl ErrorKind {
    /// True if another attempt with the same arguments may succeed.
    pub fn is_temporary(self) -> bool {
        match self {
            Self::Network | Self::Unavailable | Self::Timeout | Self::Disconnected => true,
            Self::InvalidArgument | Self::CredentialRefused | Self::RequestRefused | Self::NotFound | Self::Tls => {
                false
            }
        }
    }
}

impl ClientError {
    /// The kind of this error.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Url(_)
            | Self::Tenant(_)
            | Self::Filter(_)
            | Self::View(_)
            | Self::SubscriptionName(_)
            | Self::SinceInGroup
            | Self::SnapshotInGroup
            | Self::Subscriptions(_)
            | Self::Credential(_) => ErrorKind::InvalidArgument,
            Self::TokenUnavailable(_) => ErrorKind::Unavailable,
            Self::TokenRefusedAgain => ErrorKind::CredentialRefused,
            Self::TokenExpired => ErrorKind::Disconnected,
            Self::Network(_) => ErrorKind::Network,
            Self::Tls(_) => ErrorKind::Tls,
            Self::Handshake(refusal) => refusal.kind(),
            Self::Closed { code: CloseCode::PolicyViolation, .. } => ErrorKind::CredentialRefused,
            Self::Closed { code: CloseCode::TryAgainLater, .. } => ErrorKind::Unavailable,
            Self::Closed { .. } | Self::Protocol(_) => ErrorKind::Disconnected,
            Self::Rejected { code, .. } => match code {
                // Another snapshot has another token.
                ErrorCode::Internal | ErrorCode::Conflict | ErrorCode::InvalidSnapshotToken => ErrorKind::Unavailable,
                ErrorCode::NotConnected => ErrorKind::Disconnected,
                ErrorCode::Unauthorized | ErrorCode::Forbidden => ErrorKind::CredentialRefused,
                _ => ErrorKind::RequestRefused,
            },
            Self::Gateway(_) | Self::TooSoon(_) | Self::TooManyConnections(_) => ErrorKind::Unavailable,
            Self::Timeout(_) => ErrorKind::Timeout,
        }
    }

    /// True if another attempt with the same arguments may succeed. A stream that reconnects makes that attempt by itself.
    pub fn is_temporary(&self) -> bool {
        self.kind().is_temporary()
    }
}

impl From<NoRandomNumbers> for ClientError {
    fn from(error: NoRandomNumbers) -> Self {
        Self::Network(io::Error::other(error))
    }
}

impl HandshakeRefusal {
    fn kind(&self) -> ErrorKind {
        match self.status {
            400 => ErrorKind::RequestRefused,
            401 | 403 if !self.by_gateway => ErrorKind::CredentialRefused,
            429 | 500.. => ErrorKind::Unavailable,
            _ => ErrorKind::NotFound,
        }
    }
}

impl fmt::Display for HandshakeRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the server answered the handshake with {}", self.status)?;
        if self.reason.is_empty() { Ok(()) } else { write!(f, " ({})", self.reason) }
    }
}

impl std::error::Error for HandshakeRefusal {}

fn subject(subscription: Option<&SubscriptionName>) -> String {
    subscription.map(|name| format!(" the subscription {name}")).unwrap_or_default()
}

fn close(code: &CloseCode, reason: &str) -> String {
    match (code, reason) {
        (CloseCode::Abnormal | CloseCode::NoStatus, _) => String::new(),
        (code, "") => format!(" with {}", u16::from(*code)),
        (code, reason) => format!(" with {}: {reason}", u16::from(*code)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_status_that_may_change_is_temporary() {
        for (status, kind) in [
            (200, ErrorKind::NotFound),
            (301, ErrorKind::NotFound),
            (400, ErrorKind::RequestRefused),
            (401, ErrorKind::CredentialRefused),
            (403, ErrorKind::CredentialRefused),
            (404, ErrorKind::NotFound),
            (429, ErrorKind::Unavailable),
            (500, ErrorKind::Unavailable),
            (503, ErrorKind::Unavailable),
            (504, ErrorKind::Unavailable),
        ] {
            let refusal = |by_gateway| HandshakeRefusal { status, reason: String::new(), by_gateway };
            assert_eq!(ClientError::from(refusal(false)).kind(), kind, "{status}");
            let temporary = matches!(status, 429 | 500..);
            assert_eq!(ClientError::from(refusal(false)).is_temporary(), temporary, "{status}");
            assert_eq!(ClientError::from(refusal(true)).is_temporary(), temporary, "{status}");
        }
        let no_stage = HandshakeRefusal { status: 403, reason: "Forbidden".to_owned(), by_gateway: true };
        assert_eq!(no_stage.to_string(), "the server answered the handshake with 403 (Forbidden)");
        assert_eq!(ClientError::from(no_stage).kind(), ErrorKind::NotFound);
    }

    #[test]
    fn only_a_close_with_1008_is_permanent() {
        for code in CloseCode::ALL {
            let error = ClientError::Closed { code, reason: String::new() };
            assert_eq!(error.is_temporary(), code != CloseCode::PolicyViolation, "{code:?}");
        }
        let close = |code, reason: &str| ClientError::Closed { code, reason: reason.to_owned() }.to_string();
        assert_eq!(close(CloseCode::GoingAway, "Going away"), "the server closed the connection with 1001: Going away");
        assert_eq!(close(CloseCode::Other(4000), ""), "the server closed the connection with 4000");
        assert_eq!(close(CloseCode::Abnormal, ""), "the server closed the connection");
    }

    #[test]
    fn a_rejection_is_temporary_if_the_same_request_can_succeed_later() {
        for code in ErrorCode::ALL {
            let temporary = matches!(
                code,
                ErrorCode::Internal | ErrorCode::Conflict | ErrorCode::NotConnected | ErrorCode::InvalidSnapshotToken
            );
            let error = ClientError::Rejected { code, message: "no".to_owned(), subscription: None };
            assert_eq!(error.is_temporary(), temporary, "{error:?}");
        }
        let rejected = |subscription| {
            ClientError::Rejected { code: ErrorCode::InvalidQ, message: "no".to_owned(), subscription }.to_string()
        };
        assert_eq!(rejected(None), "the server refused: no");
        assert_eq!(rejected("map".parse().ok()), "the server refused the subscription map: no");
    }
}
