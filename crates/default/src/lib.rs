//! The `$default` function: honours what clients send.
//!
//! - **Trigger**: a text message that no other route takes: `subscribe`, `unsubscribe`, `ping` where API Gateway does not
//!   answer it itself, and everything that is malformed.
//! - **Reads and writes**: the connection's filter, authorisation and interests.
//! - **Answers** through `@connections`, not as its result: a two-way route would send an empty frame whenever there is
//!   nothing to say, and clients of the original contract fail on it.
//! - **Fails** if an answer cannot be delivered; the client then sees API Gateway's `Internal server error` frame.
//!
//! Messages of one connection may be handled at the same time and in any order; the table decides which filter is last.

mod authenticate;

use std::time::Duration;

use aws_lambda_events::apigw::{ApiGatewayProxyResponse, ApiGatewayWebsocketProxyRequest};
use entity_stream_auth::{Refusal, Verifier};
use entity_stream_connections::{Authorisation, Table, TableError};
use entity_stream_delivery::{ManagementApi, Message, Outcome};
use entity_stream_protocol::{Action, Answer, ClientMessage, Clock, EpochMillis, ErrorCode, Filter, Rejection};
use entity_stream_runtime::environment::AUTH_IN_BAND;
use entity_stream_runtime::{Caller, Environment, Failure, InvalidVariable, respond};
use lambda_runtime::LambdaEvent;
use tokio::time::Instant;
use tracing::Instrument;

/// How long an answer is tried: less than API Gateway waits for this function.
const ANSWER_TIME: Duration = Duration::from_secs(10);

/// How long a connection that came without a credential may take to authenticate, where it may come at all. A client does it
/// with its first message; what is left open besides costs connections, and never receives anything.
const AUTHENTICATION_TIME: Duration = Duration::from_secs(60);

/// What a client is told that may not ask for anything.
const NOT_AUTHORISED: &str = "send authenticate first; if the token has expired, connect again with a fresh one";

/// The function, ready for events.
#[derive(Clone, Debug)]
pub struct DefaultRoute {
    table: Table,
    management_api: ManagementApi,
    verifier: Option<Verifier>,
    in_band: bool,
    clock: Clock,
}

impl DefaultRoute {
    /// The function with settings from `environment`. Without a verifier no tokens are taken.
    ///
    /// # Errors
    /// [`InvalidVariable`] names a variable that is malformed.
    pub fn new(
        environment: &Environment,
        verifier: Option<Verifier>,
        table: Table,
        management_api: ManagementApi,
        clock: Clock,
    ) -> Result<Self, InvalidVariable> {
        let in_band = environment.optional_flag(AUTH_IN_BAND)?;
        Ok(Self { table, management_api, verifier, in_band, clock })
    }

    /// Handles one event.
    ///
    /// # Errors
    /// A [`Failure`] if the event is not API Gateway's or the answer could not be delivered.
    pub async fn handle(
        &self,
        event: LambdaEvent<ApiGatewayWebsocketProxyRequest>,
    ) -> Result<ApiGatewayProxyResponse, Failure> {
        let caller = Caller::of(&event.payload)?;
        let span = caller.span("default");
        let arrived = self.clock.now();
        async {
            let body = event.payload.body.as_deref().unwrap_or_default();
            if let Some(answer) = self.honour(&caller, body).await {
                self.answer(&caller, &answer).await?;
                if matches!(answer, Answer::Error(_)) {
                    self.close_unless_authenticated(&caller, arrived).await;
                }
            }
            Ok(respond(200, None))
        }
        .instrument(span)
        .await
    }

    /// Does what a message asks for and returns the answer, if one is due.
    async fn honour(&self, caller: &Caller, body: &str) -> Option<Answer> {
        let message = match ClientMessage::parse(body) {
            Ok(message) => message,
            Err(rejection) => {
                // Not the action, which may be any text: somebody's token in the wrong place, say.
                tracing::info!(code = rejection.code.as_str(), "message refused");
                return Some(Answer::Error(self.reject(caller, rejection).await));
            }
        };
        let request_id = message.request_id.clone();
        match &message.action {
            Action::Ping => Some(self.ping(caller, &message).await),
            Action::Subscribe(filter) => {
                let subscribed = || Answer::Subscribed { filter: filter.clone(), request_id };
                self.subscribe(caller, &message, Some(filter), subscribed).await
            }
            Action::Unsubscribe => self.subscribe(caller, &message, None, || Answer::Unsubscribed { request_id }).await,
            Action::Authenticate(token) => Some(self.authenticate(caller, &message, token).await),
        }
    }

    async fn ping(&self, caller: &Caller, message: &ClientMessage) -> Answer {
        match self.check_authorised(caller).await {
            Ok(()) => Answer::Pong { request_id: message.request_id.clone() },
            Err(error) => refuse(message, &error),
        }
    }

    /// The answer to a message that is malformed: to a client that has yet to authenticate, that it has to. What is wrong
    /// with an `authenticate` it needs to know.
    async fn reject(&self, caller: &Caller, rejection: Rejection) -> Rejection {
        if rejection.action.as_deref() == Some("authenticate") {
            return rejection;
        }
        match self.check_authorised(caller).await {
            Err(TableError::NotAuthorised) => {
                Rejection { code: ErrorCode::Unauthorized, message: NOT_AUTHORISED.to_owned(), ..rejection }
            }
            // It is malformed whether or not the table can be read.
            Ok(()) | Err(_) => rejection,
        }
    }

    /// Whether the client may be answered, where it may have come without a credential: only there is its record worth a
    /// look.
    async fn check_authorised(&self, caller: &Caller) -> Result<(), TableError> {
        if self.verifier.is_none() || !self.in_band {
            return Ok(());
        }
        let now = self.clock.now();
        match self.table.find(&caller.connection_id, now).await? {
            Some(connection) if !connection.authorisation.is_valid(now) => Err(TableError::NotAuthorised),
            _ => Ok(()),
        }
    }

    async fn subscribe(
        &self,
        caller: &Caller,
        message: &ClientMessage,
        filter: Option<&Filter>,
        done: impl FnOnce() -> Answer,
    ) -> Option<Answer> {
        match self.table.subscribe(&caller.connection_id, filter, self.clock.now()).await {
            Ok(connection) => {
                tracing::Span::current().record("tenant", connection.tenant.as_str());
                tracing::info!(
                    action = message.action_name(),
                    entity_types = filter.map(|filter| filter.entity_types().len()),
                    id_pattern = filter.is_some_and(|filter| filter.id_pattern().is_some()),
                    "filter changed"
                );
                message.request_id.is_some().then(done)
            }
            Err(error) => Some(refuse(message, &error)),
        }
    }

    /// Closes a connection that has had its time to authenticate. One that says nothing at all ends by API Gateway's hand.
    async fn close_unless_authenticated(&self, caller: &Caller, now: EpochMillis) {
        if self.verifier.is_none() || !self.in_band || now.since(caller.connected_at) < AUTHENTICATION_TIME {
            return;
        }
        match self.table.find(&caller.connection_id, now).await {
            Ok(Some(connection)) if connection.authorisation == Authorisation::Pending => {
                let closed = self.management_api.close(&caller.connection_id).await;
                let error = closed.err().map(tracing::field::display);
                tracing::info!(error, "closing a connection that did not authenticate in time");
            }
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "could not see whether the connection has authenticated"),
        }
    }

    async fn answer(&self, caller: &Caller, answer: &Answer) -> Result<(), Failure> {
        let deadline = Instant::now() + ANSWER_TIME;
        match self.management_api.post_until(&caller.connection_id, &Message::new(answer.to_json()), deadline).await {
            Outcome::Delivered => Ok(()),
            // The client has left in the meantime: there is nobody to answer.
            Outcome::Gone => {
                tracing::debug!("the connection ended before its answer");
                Ok(())
            }
            outcome => {
                tracing::error!(outcome = outcome.describe(), "the answer could not be delivered");
                Err(Failure::new("AnswerNotDelivered", outcome.describe()))
            }
        }
    }
}

/// The answer to a message that the table did not take.
pub(crate) fn refuse(message: &ClientMessage, error: &TableError) -> Answer {
    let (code, text) = match error {
        TableError::NotConnected => {
            tracing::info!("message of a connection that is not registered");
            (ErrorCode::NotConnected, "the connection is not registered any more; connect again")
        }
        TableError::NotAuthorised => {
            tracing::info!("message of a connection that is not authorised");
            (ErrorCode::Unauthorized, NOT_AUTHORISED)
        }
        TableError::AnotherSubject => (ErrorCode::Forbidden, Refusal::AnotherSubject.message()),
        TableError::Contended
        | TableError::Dynamo { .. }
        | TableError::TimedOut { .. }
        | TableError::Unprocessed(_) => {
            tracing::error!(%error, "the table did not take a message");
            (ErrorCode::Internal, "the message could not be honoured; try again")
        }
    };
    Answer::Error(message.reject(code, text))
}
