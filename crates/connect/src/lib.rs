//! The `$connect` function: admits a connection and registers it.
//!
//! - **Trigger**: a WebSocket handshake, which API Gateway holds until this function has answered.
//! - **Reads**: the query (`tenant`, `entityTypes`, `idPattern`, `format`, `group_id`), the credential, and the offered
//!   sub-protocols.
//! - **Writes**: the connection and its interests, before the handshake completes, so that no event is missed after it.
//! - **Answers**: 200, and `Sec-WebSocket-Protocol: access_token` if the client offered that; 400 for a malformed query,
//!   401 or 403 if it may not listen, 503 while streaming is switched off or the credential cannot be checked, 500 if the
//!   table cannot be written.
//! - **Fails** only on an event that is not API Gateway's.
//!
//! It never posts to its own connection: `@connections` answers 410 until this function has returned.

mod admission;
mod handshake;

use aws_lambda_events::apigw::{ApiGatewayProxyResponse, ApiGatewayWebsocketProxyRequest};
use entity_stream_auth::{AllowedOrigins, Authenticator};
use entity_stream_connections::{Connection, Table};
use entity_stream_protocol::{Clock, ConnectQuery};
use entity_stream_runtime::environment::{ALLOWED_ORIGINS, AUTH_IN_BAND};
use entity_stream_runtime::{Caller, Environment, Failure, InvalidVariable, note_refusal, respond};
use lambda_runtime::LambdaEvent;
use tracing::Instrument;

use crate::handshake::Handshake;

/// The metric that counts the connections that were let in.
const CONNECTIONS: &str = "Connections";

/// The function, ready for events.
#[derive(Clone, Debug)]
pub struct Connect {
    streaming_enabled: bool,
    authenticator: Option<Authenticator>,
    in_band: bool,
    origins: Option<AllowedOrigins>,
    table: Table,
    clock: Clock,
}

impl Connect {
    /// The function with settings from `environment`. Without an authenticator anybody may listen.
    ///
    /// # Errors
    /// [`InvalidVariable`] names a variable that is malformed.
    pub fn new(
        environment: &Environment,
        authenticator: Option<Authenticator>,
        table: Table,
        clock: Clock,
    ) -> Result<Self, InvalidVariable> {
        let origins = environment.optional(ALLOWED_ORIGINS).map(|list| AllowedOrigins::parse(&list)).transpose();
        let invalid = |_| InvalidVariable { variable: ALLOWED_ORIGINS, problem: "is no such list" };
        Ok(Self {
            streaming_enabled: environment.streaming_enabled(),
            authenticator,
            in_band: environment.optional_flag(AUTH_IN_BAND)?,
            origins: origins.map_err(invalid)?,
            table,
            clock,
        })
    }

    /// Handles one event.
    ///
    /// # Errors
    /// A [`Failure`] if the event is not API Gateway's; everything else is an answer with a status.
    pub async fn handle(
        &self,
        event: LambdaEvent<ApiGatewayWebsocketProxyRequest>,
    ) -> Result<ApiGatewayProxyResponse, Failure> {
        let caller = Caller::of(&event.payload)?;
        let span = caller.span("connect");
        Ok(self.answer(&caller, &Handshake::of(&event.payload)).instrument(span).await)
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
        let authorisation = match self.admit(handshake, &query.tenant).await {
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
            tracing::error!(%error, "connection refused: it could not be registered");
            // A half of it may be there, which for as long as it is young every event would try to reach.
            if let Err(error) = self.table.forget(&connection.id).await {
                tracing::warn!(%error, "what was registered of it stays until an event meets it, or it expires");
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
