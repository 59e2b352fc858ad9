use aws_lambda_events::apigw::{ApiGatewayProxyResponse, ApiGatewayWebsocketProxyRequest};
use entity_stream_clock::Clock;
use entity_stream_connections::{Connection, Table};
use entity_stream_protocol::ConnectQuery;
use entity_stream_runtime::{AwsServices, Caller, ConnectConfig, Failure, SecretError, note_refusal, respond};
use lambda_runtime::LambdaEvent;
use tracing::Instrument;

use crate::admission::Admission;
use crate::handshake::Handshake;

/// The metric that counts accepted connections.
const CONNECTIONS: &str = "Connections";
/// The metric that counts handshakes that failed by a fault of the service. For Lambda such an answer is a success.
const HANDSHAKE_FAULTS: &str = "HandshakeFaults";

/// The function, ready for events.
#[derive(Clone, Debug)]
pub struct Connect {
    streaming_enabled: bool,
    admission: Admission,
    table: Table,
    clock: Clock,
}

impl Connect {
    /// Creates the function from its configuration.
    ///
    /// # Errors
    /// [`SecretError`] if the secret of `JWT_SECRET_ARN` cannot be used.
    pub async fn new(config: ConnectConfig, aws: &AwsServices, clock: Clock) -> Result<Self, SecretError> {
        let authenticator = match config.access {
            Some(access) => Some(aws.authenticator(access).await?),
            None => None,
        };
        Ok(Self {
            streaming_enabled: config.streaming_enabled,
            admission: Admission { authenticator, in_band: config.in_band, origins: config.origins },
            table: aws.connections(config.connections_table),
            clock,
        })
    }

    /// Handles one event.
    ///
    /// # Errors
    /// [`Failure`] if API Gateway did not send the event. All other problems are answers with a status.
    pub async fn handle(
        &self,
        event: LambdaEvent<ApiGatewayWebsocketProxyRequest>,
    ) -> Result<ApiGatewayProxyResponse, Failure> {
        let caller = Caller::of(&event.payload)?;
        let span = caller.span("connect");
        let response = self.answer(&caller, &Handshake::of(&event.payload)).instrument(span).await;
        // Streaming that is switched off is no fault.
        if self.streaming_enabled && response.status_code >= 500 {
            metrics::counter!(HANDSHAKE_FAULTS).increment(1);
        }
        Ok(response)
    }

    async fn answer(&self, caller: &Caller, handshake: &Handshake<'_>) -> ApiGatewayProxyResponse {
        if !self.streaming_enabled {
            tracing::warn!("connection refused: EVENT_STREAMING_ENABLED is not true");
            return respond(503, Some("event streaming is switched off"));
        }
        let query = match ConnectQuery::parse(|name| handshake.query(name)) {
            Ok(query) => query,
            Err(error) => {
                tracing::info!(source_ip = caller.source_ip, %error, "connection refused: malformed query");
                return respond(400, Some(&error.to_string()));
            }
        };
        tracing::Span::current().record("tenant", query.tenant.as_str());
        let authorisation = match self.admission.decide(handshake, &query.tenant, self.clock.now()).await {
            Ok(authorisation) => authorisation,
            Err(refused) => {
                note_refusal(&refused, caller);
                return respond(refused.reason.status(), Some(refused.reason.message()));
            }
        };
        let connection = Connection {
            id: caller.connection_id.clone(),
            tenant: query.tenant,
            connected_at: caller.connected_at,
            filter: Some(query.filter),
            format: query.format,
            group: query.group,
            authorisation,
        };
        if let Err(error) = self.table.register(&connection).await {
            tracing::error!(%error, "connection refused: the table cannot be written");
            // The table may hold a part of the connection. Every event would try to reach it while it is young.
            if let Err(error) = self.table.forget(&connection.id).await {
                tracing::warn!(%error, "a part of the connection stays in the table until an event finds it or it expires");
            }
            return respond(500, Some("the connection could not be registered; try again"));
        }
        metrics::counter!(CONNECTIONS).increment(1);
        tracing::info!(source_ip = caller.source_ip, subject = connection.authorisation.subject(), "connected");
        let mut response = respond(200, None);
        if let Some((name, value)) = handshake.selected_subprotocol() {
            response.headers.insert(name, value);
        }
        response
    }
}
