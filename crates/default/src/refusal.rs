use entity_stream_auth::{Refusal, Refused};
use entity_stream_connections::TableError;
use entity_stream_protocol::{Answer, ClientMessage, ErrorCode};
use entity_stream_runtime::{Caller, note_refusal};

/// Tells a client that its connection has no valid authorisation.
pub(crate) const NOT_AUTHORISED: &str =
    "send authenticate first; if the token has expired, connect again with a fresh one";

/// Tells a client that its subscriptions would take too much of the table.
const INTERESTS_TOO_LARGE: &str = "the subscriptions of this connection are too large together: each type and id repeats the rest of \
                                   its filter; send fewer types and ids, or shorter patterns and queries; a wider filter also \
                                   counts the types and ids of the filter that it replaces, until unsubscribe";

/// Creates the answer to a message that the table refused.
pub(crate) fn refuse(message: &ClientMessage, error: &TableError) -> Answer {
    let (code, text) = match error {
        TableError::NotConnected => {
            tracing::info!("message refused: the connection is not registered");
            (ErrorCode::NotConnected, "the connection is not registered any more; connect again")
        }
        TableError::NotAuthorised => {
            tracing::info!("message refused: the connection is not authorised");
            (ErrorCode::Unauthorized, NOT_AUTHORISED)
        }
        TableError::AnotherSubject => (ErrorCode::Forbidden, Refusal::AnotherSubject.message()),
        TableError::LimitExceeded => (ErrorCode::LimitExceeded, INTERESTS_TOO_LARGE),
        TableError::TooManySubscriptions => {
            (ErrorCode::LimitExceeded, "a connection has at most 16 subscriptions with a name; unsubscribe one first")
        }
        TableError::TooManyScopes => (
            ErrorCode::LimitExceeded,
            "the subscriptions of this connection name more than 49 types and ids together; send fewer, or open another \
             connection",
        ),
        TableError::NotSubscribed => {
            (ErrorCode::NotSubscribed, "this connection has no subscription of this name; nothing was changed")
        }
        TableError::Contended => {
            tracing::warn!("message refused: other messages of the connection changed it at the same time");
            (ErrorCode::Conflict, "other messages of this connection changed it at the same time; try again")
        }
        TableError::TooManyConnections => (ErrorCode::LimitExceeded, Refusal::TooManyConnections.message()),
        TableError::MalformedGroup
        | TableError::Throttled
        | TableError::Dynamo { .. }
        | TableError::TimedOut { .. }
        | TableError::Unprocessed(_) => {
            tracing::error!(%error, "message refused: the table cannot be read or written");
            (ErrorCode::Internal, "the message could not be handled; try again")
        }
    };
    Answer::Error(message.reject(code, text))
}

/// Logs and counts the refusal of a token, and creates the answer.
pub(crate) fn refuse_token(caller: &Caller, message: &ClientMessage, refused: &Refused) -> Answer {
    note_refusal(refused, caller);
    let code = match refused.reason.status() {
        403 => ErrorCode::Forbidden,
        429 => ErrorCode::LimitExceeded,
        503 => ErrorCode::Internal,
        _ => ErrorCode::Unauthorized,
    };
    Answer::Error(message.reject(code, refused.reason.message()))
}
