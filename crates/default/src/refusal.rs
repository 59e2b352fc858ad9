use entity_stream_auth::{InvalidProof, Refusal, Refused};
use entity_stream_connections::TableError;
use entity_stream_protocol::{Answer, ClientMessage, ErrorCode};
use entity_stream_runtime::{Caller, note_refusal};

/// The metric that counts messages that failed by a fault of the service. For Lambda such an answer is a success.
const MESSAGE_FAULTS: &str = "MessageFaults";

/// Tells a client that its connection has no valid authorisation.
pub(crate) const NOT_AUTHORISED: &str =
    "send authenticate first; if the token has expired, connect again with a fresh one";

/// Tells a client that its subscriptions would take too much of the table.
const INTERESTS_TOO_LARGE: &str = "the subscriptions of this connection are too large together: each type and id repeats the rest of \
                                   its filter; send fewer types and ids, or shorter patterns and queries";

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
        TableError::ProofRequired => {
            tracing::info!("message refused: the connection waits for a proof");
            (ErrorCode::Unauthorized, Refusal::ProofRequired.message())
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
        TableError::ResumedRecently => {
            (ErrorCode::LimitExceeded, "since may be sent once in 10 seconds on a connection; wait, or leave it out")
        }
        TableError::AnotherSession => (
            ErrorCode::InvalidSince,
            "this connection has taken the place of another session already; connect again to resume this one",
        ),
        TableError::NotForGroups => (
            ErrorCode::NotAvailable,
            "a member of a group cannot ask for past events; leave out since, or connect without group_id",
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
            metrics::counter!(MESSAGE_FAULTS).increment(1);
            (ErrorCode::Internal, "the message could not be handled; try again")
        }
    };
    Answer::Error(message.reject(code, text))
}

/// Logs and counts the refusal of a token, and creates the answer.
pub(crate) fn refuse_token(caller: &Caller, message: &ClientMessage, refused: &Refused) -> Answer {
    note_refusal(refused, caller);
    if is_our_fault(refused.reason) {
        metrics::counter!(MESSAGE_FAULTS).increment(1);
    }
    let code = match refused.reason.status() {
        403 => ErrorCode::Forbidden,
        429 => ErrorCode::LimitExceeded,
        503 => ErrorCode::Internal,
        _ => ErrorCode::Unauthorized,
    };
    Answer::Error(message.reject(code, refused.reason.message()))
}

/// Logs and counts the refusal of a proof, and creates the answer with its reason.
pub(crate) fn refuse_proof(caller: &Caller, message: &ClientMessage, reason: InvalidProof, subject: String) -> Answer {
    note_refusal(&Refused { reason: Refusal::Proof, subject: Some(subject) }, caller);
    tracing::info!(%reason, "the proof is refused");
    Answer::Error(message.reject(ErrorCode::Unauthorized, reason.to_string()))
}

/// True if the secret, the identity provider or the table of API keys failed. An unknown key is no such fault: any client can
/// send a token that names one.
fn is_our_fault(reason: Refusal) -> bool {
    matches!(reason, Refusal::KeysUnavailable | Refusal::ApiKeysUnavailable)
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};

    use super::*;

    /// Records the names of counters.
    #[derive(Default)]
    struct Counted(Mutex<Vec<String>>);

    impl Recorder for Counted {
        fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
        fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
        fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

        fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
            self.0.lock().unwrap().push(key.name().to_owned());
            Counter::noop()
        }

        fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
            Gauge::noop()
        }

        fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
            Histogram::noop()
        }
    }

    #[test]
    fn exactly_the_answers_internal_of_the_table_are_counted() {
        let message = ClientMessage::parse(r#"{"action":"unsubscribe"}"#).unwrap();
        for error in [
            TableError::NotConnected,
            TableError::NotAuthorised,
            TableError::ProofRequired,
            TableError::AnotherSubject,
            TableError::LimitExceeded,
            TableError::Contended,
            TableError::TooManyConnections,
            TableError::MalformedGroup,
            TableError::Throttled,
            TableError::TimedOut { operation: "GetItem" },
            TableError::Unprocessed(1),
        ] {
            let counted = Counted::default();
            let answer = metrics::with_local_recorder(&counted, || refuse(&message, &error));
            let Answer::Error(rejection) = answer else { panic!("{error}: {answer:?}") };
            let expected: &[&str] = if rejection.code == ErrorCode::Internal { &[MESSAGE_FAULTS] } else { &[] };
            assert_eq!(*counted.0.lock().unwrap(), expected, "{error}");
        }
    }

    #[test]
    fn no_client_can_make_a_fault_of_ours() {
        let ours: Vec<_> = Refusal::ALL.into_iter().filter(|reason| is_our_fault(*reason)).collect();
        assert_eq!(ours, [Refusal::KeysUnavailable, Refusal::ApiKeysUnavailable]);
    }
}
