use std::time::Duration;

use aws_lambda_events::apigw::{ApiGatewayProxyResponse, ApiGatewayWebsocketProxyRequest};
use entity_stream_clock::Clock;
use entity_stream_connections::{Connection, Table, TableError};
use entity_stream_delivery::{ManagementApi, Message, Outcome};
use entity_stream_protocol::{Acknowledgement, Action, Answer, ClientMessage, EpochMillis, ErrorCode, Rejection};
use entity_stream_runtime::{AwsServices, Caller, DefaultConfig, Failure, SecretError, respond};
use lambda_runtime::LambdaEvent;
use tokio::time::{Instant, timeout};
use tracing::Instrument;

use crate::authentication::Authentication;
use crate::refusal::{NOT_AUTHORISED, refuse};

/// The time to handle a message. The three times together are less than the 29 seconds of API Gateway and Lambda, so a table
/// or an endpoint that does not answer never ends the function without a line in its log.
const MESSAGE_TIME: Duration = Duration::from_secs(12);
/// The time for the delivery of an answer.
const ANSWER_TIME: Duration = Duration::from_secs(10);
/// The time to close a connection that did not authenticate.
const CLOSE_TIME: Duration = Duration::from_secs(4);

/// The function, ready for events.
#[derive(Clone, Debug)]
pub struct DefaultRoute {
    table: Table,
    management_api: ManagementApi,
    authentication: Authentication,
    acknowledgement: Acknowledgement,
    clock: Clock,
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
            management_api: aws.management_api(config.endpoint),
            authentication: Authentication {
                verifier,
                in_band: config.in_band,
                most_connections: config.most_connections,
                table,
            },
            acknowledgement: config.acknowledgement,
            clock,
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
            if let Some(answer) = self.handle_message(&caller, body).await {
                self.answer(&caller, &answer).await?;
                if matches!(answer, Answer::Error(_)) {
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

    /// Handles a message and returns the answer, if the message needs one.
    async fn handle_message(&self, caller: &Caller, body: &str) -> Option<Answer> {
        let message = match ClientMessage::parse(body) {
            Ok(message) => message,
            Err(rejection) => {
                // The log does not show the action, because a client may send a token in its place.
                tracing::info!(code = rejection.code.as_str(), "message refused");
                let as_parsed = rejection.clone();
                // The message is malformed even if the table cannot be read.
                let rejection = timeout(MESSAGE_TIME, self.reject(caller, rejection)).await.unwrap_or(as_parsed);
                return Some(Answer::Error(rejection));
            }
        };
        match timeout(MESSAGE_TIME, self.act(caller, &message)).await {
            Ok(answer) => answer,
            Err(_) => Some(refuse(&message, &TableError::TimedOut { operation: "request" })),
        }
    }

    /// Does what a message asks for and returns the answer, if the message needs one.
    async fn act(&self, caller: &Caller, message: &ClientMessage) -> Option<Answer> {
        let request_id = message.request_id.clone();
        match &message.action {
            Action::Ping => Some(self.ping(caller, message).await),
            Action::Subscribe(subscriptions) => {
                let changed =
                    self.table.subscribe(&caller.connection_id, subscriptions.as_slice(), self.clock.now()).await;
                let subscribed = || Answer::Subscribed { subscriptions: subscriptions.clone(), request_id };
                self.acknowledge(message, changed, subscribed)
            }
            Action::Unsubscribe { subscription } => {
                let changed = self.table.unsubscribe(&caller.connection_id, subscription, self.clock.now()).await;
                let unsubscribed = || Answer::Unsubscribed { subscription: subscription.clone(), request_id };
                self.acknowledge(message, changed, unsubscribed)
            }
            Action::Authenticate(token) => {
                Some(self.authentication.authenticate(caller, message, token, self.clock.now()).await)
            }
        }
    }

    async fn ping(&self, caller: &Caller, message: &ClientMessage) -> Answer {
        match self.authentication.check(caller, self.clock.now()).await {
            Ok(()) => Answer::Pong { request_id: message.request_id.clone() },
            Err(error) => refuse(message, &error),
        }
    }

    /// Creates the answer to a malformed message. A client that has not yet authenticated only learns that it must, except
    /// about a malformed `authenticate`.
    async fn reject(&self, caller: &Caller, rejection: Rejection) -> Rejection {
        if rejection.action.as_deref() == Some("authenticate") {
            return rejection;
        }
        match self.authentication.check(caller, self.clock.now()).await {
            Err(TableError::NotAuthorised) => {
                Rejection { code: ErrorCode::Unauthorized, message: NOT_AUTHORISED.to_owned(), ..rejection }
            }
            // The message is malformed even if the table cannot be read.
            Ok(()) | Err(_) => rejection,
        }
    }

    /// Creates the answer to a change of the subscriptions, if the client wants one.
    fn acknowledge(
        &self,
        message: &ClientMessage,
        changed: Result<Connection, TableError>,
        done: impl FnOnce() -> Answer,
    ) -> Option<Answer> {
        match changed {
            Ok(connection) => {
                tracing::Span::current().record("tenant", connection.tenant.as_str());
                let subscriptions = connection.subscriptions.len();
                tracing::info!(action = message.action_name(), subscriptions, "subscriptions changed");
                let acknowledgement = connection.acknowledgement.unwrap_or(self.acknowledgement);
                let is_wanted = acknowledgement == Acknowledgement::Always || message.request_id.is_some();
                is_wanted.then(done)
            }
            Err(error) => Some(refuse(message, &error)),
        }
    }

    /// Closes a connection that has used up its time to authenticate.
    async fn close_if_overdue(&self, caller: &Caller, now: EpochMillis) {
        match self.authentication.is_overdue(caller, now).await {
            Ok(false) => {}
            Ok(true) => {
                let closed = self.management_api.close(&caller.connection_id).await;
                let error = closed.err().map(tracing::field::display);
                tracing::info!(error, "closing a connection that did not authenticate in time");
            }
            Err(error) => tracing::warn!(%error, "the authorisation of the connection cannot be read"),
        }
    }

    async fn answer(&self, caller: &Caller, answer: &Answer) -> Result<(), Failure> {
        let deadline = Instant::now() + ANSWER_TIME;
        match self.management_api.post_until(&caller.connection_id, &Message::new(answer.to_json()), deadline).await {
            Outcome::Delivered => Ok(()),
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
