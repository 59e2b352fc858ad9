use std::sync::Arc;
use std::time::Duration;

use aws_lambda_events::apigw::{ApiGatewayProxyResponse, ApiGatewayWebsocketProxyRequest};
use entity_stream_auth::Refusal;
use entity_stream_clock::Clock;
use entity_stream_connections::{Connection, Table, TableError};
use entity_stream_delivery::ManagementApi;
use entity_stream_history::{HistoryReader, StateTable};
use entity_stream_protocol::{
    Acknowledgement, Action, Answer, ClientMessage, EpochMillis, ErrorCode, Rejection, Subscribe,
};
use entity_stream_runtime::{AwsServices, Caller, DefaultConfig, Failure, SecretError, respond};
use lambda_runtime::LambdaEvent;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tracing::Instrument;

use crate::authentication::Authentication;
use crate::refusal::{NOT_AUTHORISED, refuse};
use crate::reply::Reply;

/// The time to handle a message. Together with the times to deliver a reply and to close a connection it is less than the 29
/// seconds of API Gateway and Lambda, so a table or an endpoint that does not answer never ends the function without a line in
/// its log.
const MESSAGE_TIME: Duration = Duration::from_secs(12);
/// The requests for past events or snapshots, and the exchanges of subscriptions, that are handled at the same time. Lambda gives an
/// instance one at a time. The local system has one instance, and if all clients come back at once, the times of a request have to
/// suffice for it.
const READINGS: usize = 64;
/// The longest time that a request waits for the requests before it.
const QUEUE_TIME: Duration = Duration::from_secs(60);
/// The time to close a connection that did not authenticate.
const CLOSE_TIME: Duration = Duration::from_secs(4);

/// The function, ready for events.
#[derive(Clone, Debug)]
pub struct DefaultRoute {
    pub(crate) table: Table,
    pub(crate) history: Option<Arc<HistoryReader>>,
    pub(crate) states: Option<StateTable>,
    management_api: ManagementApi,
    authentication: Authentication,
    acknowledgement: Acknowledgement,
    pub(crate) clock: Clock,
    pub(crate) readings: Arc<Semaphore>,
}

impl DefaultRoute {
    /// Creates the function from its configuration.
    ///
    /// # Errors
    /// [`SecretError`] if the secret of `JWT_SECRET_ARN` cannot be used.
    pub async fn new(config: DefaultConfig, aws: &AwsServices, clock: Clock) -> Result<Self, SecretError> {
        let verifier = match config.tokens {
            Some(tokens) => Some(aws.verifier(tokens).await?),
            None => None,
        };
        let table = aws.connections(config.connections_table);
        Ok(Self {
            table: table.clone(),
            history: config.history.map(|history| Arc::new(HistoryReader::new(aws.history(history)))),
            states: config.entity_state.map(|states| aws.entity_states(states)),
            management_api: aws.management_api(config.endpoint),
            authentication: Authentication { verifier, most_connections: config.most_connections, table },
            acknowledgement: config.acknowledgement,
            clock,
            readings: Arc::new(Semaphore::new(READINGS)),
        })
    }

    /// Handles one event.
    ///
    /// # Errors
    /// [`Failure`] if API Gateway did not send the event, or the answer cannot be delivered.
    pub async fn handle(
        &self,
        event: LambdaEvent<ApiGatewayWebsocketProxyRequest>,
    ) -> Result<ApiGatewayProxyResponse, Failure> {
        let caller = Caller::of(&event.payload)?;
        let span = caller.span("default");
        let arrived = self.clock.now();
        async {
            let body = event.payload.body.as_deref().unwrap_or_default();
            if let Some(reply) = self.handle_message(&caller, body).await {
                reply.deliver(&self.management_api, &caller.connection_id, self.clock.now()).await?;
                // A ping of a connection that waits for a proof is answered, as a mock would.
                if matches!(reply.answer, Answer::Error(_) | Answer::Pong { .. }) {
                    let closed = timeout(CLOSE_TIME, self.close_if_overdue(&caller, arrived)).await;
                    if closed.is_err() {
                        tracing::warn!("the connection could not be closed in time");
                    }
                }
            }
            Ok(respond(200, None))
        }
        .instrument(span)
        .await
    }

    /// Handles a message and returns the reply, if the message needs one.
    async fn handle_message(&self, caller: &Caller, body: &str) -> Option<Reply> {
        let message = match ClientMessage::parse(body) {
            Ok(message) => message,
            Err(rejection) => {
                // The log does not show the action, because a client may send a token in its place.
                tracing::info!(code = rejection.code.as_str(), "message refused");
                let as_parsed = rejection.clone();
                // The message is malformed even if the table cannot be read.
                let rejection = timeout(MESSAGE_TIME, self.reject(caller, rejection)).await.unwrap_or(as_parsed);
                return Some(Answer::Error(rejection).into());
            }
        };
        let reads_much = match &message.action {
            Action::Subscribe(Subscribe { since, snapshots, .. }) => since.is_some() || !snapshots.is_empty(),
            Action::Snapshot { .. } => true,
            _ => false,
        };
        let act = async {
            // An exchange waits for its turn later, when it is known to be one. The semaphore is never closed.
            let _turn = if reads_much { self.readings.acquire().await.ok() } else { None };
            timeout(MESSAGE_TIME, self.act(caller, &message)).await
        };
        match timeout(MESSAGE_TIME + QUEUE_TIME, act).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) | Err(_) => Some(refuse(&message, &TableError::TimedOut { operation: "request" }).into()),
        }
    }

    /// Carries out a message and returns the reply, if the message needs one.
    async fn act(&self, caller: &Caller, message: &ClientMessage) -> Option<Reply> {
        let request_id = message.request_id.clone();
        match &message.action {
            Action::Ping => Some(self.ping(caller, message).await.into()),
            Action::Sync => Some(self.sync(caller, message).await.into()),
            Action::Subscribe(subscribe) => self.subscribe(caller, message, subscribe).await,
            Action::Snapshot { next } => Some(self.snapshot(caller, message, next).await),
            Action::Unsubscribe { subscription } => {
                let changed = self.table.unsubscribe(&caller.connection_id, subscription, self.clock.now()).await;
                let unsubscribed = || Answer::Unsubscribed { subscription: subscription.clone(), request_id };
                match changed {
                    Ok(connection) => self.acknowledges(message, &connection).then(|| unsubscribed().into()),
                    Err(error) => Some(refuse(message, &error).into()),
                }
            }
            Action::Authenticate { token, proof } => {
                let credential = (token, proof.as_ref());
                Some(self.authentication.authenticate(caller, message, credential, self.clock.now()).await.into())
            }
            Action::DpopBind { proof } => {
                Some(self.authentication.bind(caller, message, proof, self.clock.now()).await.into())
            }
        }
    }

    async fn ping(&self, caller: &Caller, message: &ClientMessage) -> Answer {
        match self.authentication.check(caller, self.clock.now()).await {
            Ok(()) | Err(TableError::ProofRequired) => Answer::Pong { request_id: message.request_id.clone() },
            Err(error) => refuse(message, &error),
        }
    }

    /// Creates the answer to a malformed message. A client that has not yet authenticated only learns that it must, except
    /// about a malformed `authenticate` or `dpop_bind`.
    async fn reject(&self, caller: &Caller, rejection: Rejection) -> Rejection {
        if matches!(rejection.action.as_deref(), Some("authenticate" | "dpop_bind")) {
            return rejection;
        }
        let unauthorised =
            |text: &str| Rejection { code: ErrorCode::Unauthorized, message: text.to_owned(), ..rejection.clone() };
        match self.authentication.check(caller, self.clock.now()).await {
            Err(TableError::NotAuthorised) => unauthorised(NOT_AUTHORISED),
            Err(TableError::ProofRequired) => unauthorised(Refusal::ProofRequired.message()),
            // The message is malformed even if the table cannot be read.
            Ok(()) | Err(_) => rejection,
        }
    }

    /// Tells a client its place in the history, if its connection is still registered.
    async fn sync(&self, caller: &Caller, message: &ClientMessage) -> Answer {
        // A connection that is registered later has been registered at this time too.
        let now = self.clock.now();
        match (self.authorised(caller, message, now).await, &self.history) {
            (Err(refusal), _) => refusal,
            (Ok(_), Some(history)) => {
                Answer::Synced { position: history.table().position_of(now), request_id: message.request_id.clone() }
            }
            (Ok(_), None) => {
                let text = "this service keeps no history; send ping to keep the connection alive";
                Answer::Error(message.reject(ErrorCode::NotAvailable, text))
            }
        }
    }

    /// The connection of a message, if it may listen now. Only such a connection learns the service's features.
    pub(crate) async fn authorised(
        &self,
        caller: &Caller,
        message: &ClientMessage,
        now: EpochMillis,
    ) -> Result<Connection, Answer> {
        let connection = self.table.find(&caller.connection_id, now).await.map_err(|error| refuse(message, &error))?;
        let connection = connection.ok_or_else(|| refuse(message, &TableError::NotConnected))?;
        connection.authorisation.check(now).map_err(|error| refuse(message, &error))?;
        Ok(connection)
    }

    /// Logs a change of the subscriptions, and returns whether the client wants an answer.
    pub(crate) fn acknowledges(&self, message: &ClientMessage, connection: &Connection) -> bool {
        tracing::Span::current().record("tenant", connection.tenant.as_str());
        let subscriptions = connection.subscriptions.len();
        tracing::info!(action = message.action_name(), subscriptions, "subscriptions changed");
        let acknowledgement = connection.acknowledgement.unwrap_or(self.acknowledgement);
        acknowledgement == Acknowledgement::Always || message.request_id.is_some()
    }

    /// Closes a connection that has used up its time to authenticate.
    async fn close_if_overdue(&self, caller: &Caller, now: EpochMillis) {
        match self.authentication.is_overdue(caller, now).await {
            Ok(false) => {}
            Ok(true) => {
                let closed = self.management_api.close(&caller.connection_id).await;
                let error = closed.err().map(tracing::field::display);
                tracing::info!(error, "closing a connection that did not authenticate or prove its key in time");
            }
            Err(error) => tracing::warn!(%error, "the authorisation of the connection cannot be read"),
        }
    }
}
