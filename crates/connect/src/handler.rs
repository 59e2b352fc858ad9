use std::time::Duration;

use aws_lambda_events::apigw::{ApiGatewayProxyResponse, ApiGatewayWebsocketProxyRequest};
use entity_stream_clock::Clock;
use entity_stream_connections::{Authorisation, Connection, Slot, Table};
use entity_stream_protocol::{ConnectQuery, InvalidConnectQuery, Subscription};
use entity_stream_runtime::{AwsServices, Caller, ConnectConfig, Failure, SecretError, respond};
use lambda_runtime::LambdaEvent;
use tokio::time::{Instant, timeout, timeout_at};
use tracing::Instrument;

use crate::admission::Admission;
use crate::handshake::Handshake;
use crate::problem::Problem;

/// The metric that counts accepted connections.
const CONNECTIONS: &str = "Connections";

/// The time to admit and register a client. Together with [`UNDO_TIME`], a client waits for 8 seconds at most, however slow the
/// table or the issuer of tokens is.
const TIME: Duration = Duration::from_secs(6);
/// The time to remove the items of a refused handshake.
const UNDO_TIME: Duration = Duration::from_secs(2);

/// The function, ready for events.
#[derive(Clone, Debug)]
pub struct Connect {
    streaming_enabled: bool,
    keeps_states: bool,
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
            keeps_states: config.keeps_states,
            admission: Admission {
                authenticator,
                in_band: config.in_band,
                query_token: config.query_token,
                public_tenants: config.public_tenants,
                origins: config.origins,
                most_connections: config.most_connections,
            },
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
        Ok(self.answer(&caller, &Handshake::of(&event.payload)).instrument(span).await)
    }

    async fn answer(&self, caller: &Caller, handshake: &Handshake<'_>) -> ApiGatewayProxyResponse {
        if !self.streaming_enabled {
            tracing::warn!("connection refused: EVENT_STREAMING_ENABLED is not true");
            return respond(503, Some("event streaming is switched off"));
        }
        let deadline = Instant::now() + TIME;
        let admitted = match timeout_at(deadline, self.admit(caller, handshake)).await {
            Ok(Ok(admitted)) => admitted,
            Ok(Err(problem)) => return problem.answer(caller),
            Err(_) => return Problem::TimedOut.answer(caller),
        };
        let registration = timeout_at(deadline, self.register(caller, handshake, &admitted)).await;
        if let Err(problem) = registration.unwrap_or(Err(Problem::TimedOut)) {
            if timeout(UNDO_TIME, self.undo(caller, &admitted, &problem)).await.is_err() {
                tracing::warn!("a part of the connection stays in the table until an event finds it or it expires");
            }
            return problem.answer(caller);
        }
        metrics::counter!(CONNECTIONS).increment(1);
        tracing::info!(source_ip = caller.source_ip, subject = admitted.authorisation.subject(), "connected");
        let mut response = respond(200, None);
        if let Some((name, value)) = handshake.selected_subprotocol() {
            response.headers.insert(name, value);
        }
        response
    }

    /// Checks who connects: origin, tenant, credential and access, in this order. A client that is refused here costs little.
    async fn admit(&self, caller: &Caller, handshake: &Handshake<'_>) -> Result<Admitted, Problem> {
        self.admission.check_origin(handshake)?;
        let tenant = ConnectQuery::tenant(|name| handshake.query(name))?;
        tracing::Span::current().record("tenant", tenant.as_str());
        let authorisation = self.admission.authorise((handshake, &caller.source_ip), &tenant, self.clock.now()).await?;
        let slot = Slot::new(&tenant, &authorisation, &caller.connection_id, caller.connected_at);
        Ok(Admitted { authorisation, slot })
    }

    /// Takes a slot, reads the rest of the query, and writes the connection.
    async fn register(&self, caller: &Caller, handshake: &Handshake<'_>, admitted: &Admitted) -> Result<(), Problem> {
        if let Some(slot) = &admitted.slot {
            self.table.take_slot(slot, self.admission.most_connections, self.clock.now()).await?;
        }
        let query = ConnectQuery::parse(|name| handshake.query(name))?;
        if !self.keeps_states && (query.view.shows_whole_entity() || query.view.shows_changes()) {
            return Err(InvalidConnectQuery::NoStates.into());
        }
        let view = query.view;
        let subscriptions = query.filter.map(|filter| Subscription { view, ..Subscription::from(filter) });
        let connection = Connection {
            id: caller.connection_id.clone(),
            tenant: query.tenant,
            connected_at: caller.connected_at,
            subscriptions: subscriptions.into_iter().collect(),
            acknowledgement: query.acknowledgement,
            takes_batches: query.takes_batches,
            resumed: None,
            resumed_at: None,
            format: query.format,
            group: query.group,
            authorisation: admitted.authorisation.clone(),
        };
        Ok(self.table.register(&connection).await?)
    }

    /// Removes the items of a connection that is refused. Every event would try to reach it while it is young.
    async fn undo(&self, caller: &Caller, admitted: &Admitted, problem: &Problem) {
        let mut results = Vec::new();
        if problem.leaves_items() {
            results.push(self.table.forget(&caller.connection_id).await.map(drop));
        }
        if let Some(slot) = admitted.slot.as_ref().filter(|_| problem.leaves_slot()) {
            results.push(self.table.free_slot(slot).await);
        }
        for error in results.into_iter().filter_map(Result::err) {
            tracing::warn!(%error, "a part of the connection stays in the table until an event finds it or it expires");
        }
    }
}

/// A client that may connect.
struct Admitted {
    authorisation: Authorisation,
    /// Its place in the quota of its subject.
    slot: Option<Slot>,
}
