//! The `$connect` function: admits a connection and registers it.
//!
//! - **Trigger**: a WebSocket handshake, which API Gateway holds until this function has answered.
//! - **Reads**: the query (`tenant`, `entityTypes`, `idPattern`, `format`, `group_id`) and the offered sub-protocols.
//! - **Writes**: the connection and its interests, before the handshake completes, so that no event is missed after it.
//! - **Answers**: 200, and `Sec-WebSocket-Protocol: access_token` if the client offered that; 400 for a malformed query,
//!   401 if it may not listen, 503 while streaming is switched off, 500 if the table cannot be written.
//! - **Fails** only on an event that is not API Gateway's.
//!
//! It never posts to its own connection: `@connections` answers 410 until this function has returned.

mod subprotocol;

use std::collections::HashMap;

use aws_lambda_events::apigw::{ApiGatewayProxyResponse, ApiGatewayWebsocketProxyRequest};
use entity_stream_connections::{Connection, Table};
use entity_stream_protocol::ConnectQuery;
use entity_stream_runtime::environment::AUTH_ENABLED;
use entity_stream_runtime::{Caller, Environment, Failure, InvalidVariable, respond};
use lambda_runtime::LambdaEvent;
use tracing::Instrument;

/// The function, ready for events.
#[derive(Clone, Debug)]
pub struct Connect {
    streaming_enabled: bool,
    auth_enabled: bool,
    table: Table,
}

impl Connect {
    /// The function with settings from `environment`.
    ///
    /// # Errors
    /// [`InvalidVariable`] names a variable that is missing or malformed.
    pub fn new(environment: &Environment, table: Table) -> Result<Self, InvalidVariable> {
        Ok(Self {
            streaming_enabled: environment.streaming_enabled(),
            auth_enabled: environment.flag(AUTH_ENABLED)?,
            table,
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
        let span = tracing::info_span!(
            "connect",
            connection_id = %caller.connection_id,
            tenant = tracing::field::Empty,
            request_id = caller.request_id,
        );
        Ok(self.admit(&caller, &event.payload).instrument(span).await)
    }

    async fn admit(&self, caller: &Caller, event: &ApiGatewayWebsocketProxyRequest) -> ApiGatewayProxyResponse {
        if !self.streaming_enabled {
            tracing::warn!("connection refused: EVENT_STREAMING_ENABLED is not true");
            return respond(503, Some("event streaming is switched off"));
        }
        let parameters = query_parameters(event);
        let query = match ConnectQuery::parse(|name| parameters.get(name).cloned().unwrap_or_default()) {
            Ok(query) => query,
            Err(error) => {
                tracing::info!(source_ip = caller.source_ip, %error, "connection refused: malformed query");
                return respond(400, Some(&error.to_string()));
            }
        };
        tracing::Span::current().record("tenant", query.tenant.as_str());
        if self.auth_enabled {
            tracing::warn!(source_ip = caller.source_ip, "connection refused: AUTH_ENABLED is true");
            return respond(401, Some("authentication is required"));
        }
        let connection = Connection {
            id: caller.connection_id.clone(),
            tenant: query.tenant,
            connected_at: caller.connected_at,
            filter: Some(query.filter),
            format: query.format,
            group: query.group,
        };
        if let Err(error) = self.table.register(&connection).await {
            tracing::error!(%error, "connection refused: it could not be registered");
            return respond(500, Some("the connection could not be registered; try again"));
        }
        tracing::info!(source_ip = caller.source_ip, "connected");
        let mut response = respond(200, None);
        if let Some((name, value)) = subprotocol::selected(event) {
            response.headers.insert(name, value);
        }
        response
    }
}

/// Every value of every query parameter. The map with several values a name is the complete one, where it is there.
fn query_parameters(event: &ApiGatewayWebsocketProxyRequest) -> HashMap<&str, Vec<&str>> {
    let several = &event.multi_value_query_string_parameters;
    let parameters = if several.is_empty() { &event.query_string_parameters } else { several };
    let mut values: HashMap<&str, Vec<&str>> = HashMap::new();
    for (name, value) in parameters.iter() {
        values.entry(name).or_default().push(value);
    }
    values
}
