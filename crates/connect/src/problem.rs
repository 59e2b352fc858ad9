use aws_lambda_events::apigw::ApiGatewayProxyResponse;
use entity_stream_auth::{Refusal, Refused};
use entity_stream_connections::TableError;
use entity_stream_protocol::InvalidConnectQuery;
use entity_stream_runtime::{Caller, note_refusal, respond};

/// The metric that counts handshakes that failed by a fault of the service. For Lambda such an answer is a success.
const HANDSHAKE_FAULTS: &str = "HandshakeFaults";

/// The reason for which a handshake fails.
#[derive(Debug)]
pub(crate) enum Problem {
    /// The client may not listen.
    Refused(Refused),
    /// A query parameter is missing or malformed.
    Query(InvalidConnectQuery),
    /// The table refused the connection, or cannot be read or written.
    Table(TableError),
    /// The table or the issuer of tokens did not answer in time.
    TimedOut,
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

impl From<InvalidConnectQuery> for Problem {
    fn from(error: InvalidConnectQuery) -> Self {
        Self::Query(error)
    }
}

impl From<TableError> for Problem {
    fn from(error: TableError) -> Self {
        Self::Table(error)
    }
}

impl Problem {
    /// True if the handshake may have written the connection.
    pub(crate) fn leaves_items(&self) -> bool {
        match self {
            Self::Refused(_) | Self::Query(_) => false,
            Self::Table(error) => !matches!(error, TableError::TooManyConnections | TableError::LimitExceeded),
            Self::TimedOut => true,
        }
    }

    /// True if the handshake may have taken a slot.
    pub(crate) fn leaves_slot(&self) -> bool {
        !matches!(self, Self::Refused(_) | Self::Table(TableError::TooManyConnections))
    }

    /// True if the table, the secret or the identity provider failed. An unknown key is no such fault: any client can send
    /// a token that names one.
    fn is_our_fault(&self) -> bool {
        match self {
            Self::Refused(refused) => matches!(refused.reason, Refusal::KeysUnavailable | Refusal::ApiKeysUnavailable),
            Self::Query(_) => false,
            Self::Table(error) => !matches!(error, TableError::TooManyConnections | TableError::LimitExceeded),
            Self::TimedOut => true,
        }
    }

    /// Logs and counts the problem, and creates the answer to API Gateway.
    pub(crate) fn answer(&self, caller: &Caller) -> ApiGatewayProxyResponse {
        if self.is_our_fault() {
            metrics::counter!(HANDSHAKE_FAULTS).increment(1);
        }
        match self {
            Self::Refused(refused) => refuse(refused, caller),
            Self::Table(TableError::TooManyConnections) => refuse(&Refusal::TooManyConnections.into(), caller),
            Self::Query(error) => {
                tracing::info!(source_ip = caller.source_ip, %error, "connection refused: malformed query");
                respond(400, Some(&error.to_string()))
            }
            Self::Table(TableError::LimitExceeded) => {
                tracing::info!(source_ip = caller.source_ip, "connection refused: its interests would be too large");
                respond(
                    400,
                    Some(
                        "idPattern is too long for so many entityTypes or entityIds; send a shorter pattern or fewer of them",
                    ),
                )
            }
            Self::Table(TableError::TimedOut { .. }) | Self::TimedOut => {
                tracing::error!("connection refused: the table or the issuer of tokens did not answer in time");
                respond(503, Some("the service did not answer in time; try again"))
            }
            Self::Table(error) => {
                tracing::error!(%error, "connection refused: the table cannot be written");
                respond(500, Some("the connection could not be registered; try again"))
            }
        }
    }
}

fn refuse(refused: &Refused, caller: &Caller) -> ApiGatewayProxyResponse {
    note_refusal(refused, caller);
    respond(refused.reason.status(), Some(refused.reason.message()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_client_can_make_a_fault_of_ours() {
        let ours: Vec<_> =
            Refusal::ALL.into_iter().filter(|reason| Problem::Refused((*reason).into()).is_our_fault()).collect();
        assert_eq!(ours, [Refusal::KeysUnavailable, Refusal::ApiKeysUnavailable]);
        assert!(!Problem::Table(TableError::TooManyConnections).is_our_fault());
        assert!(Problem::Table(TableError::Contended).is_our_fault() && Problem::TimedOut.is_our_fault());
    }
}
