//! The `$default` function: honours what clients send.
//!
//! - **Trigger**: a text message that no other route takes: `subscribe`, `unsubscribe`, `ping` where API Gateway does not
//!   answer it itself, and everything that is malformed.
//! - **Reads and writes**: the connection's filter and interests.
//! - **Answers** through `@connections`, not as its result: a two-way route would send an empty frame whenever there is
//!   nothing to say, and clients of the original contract fail on it.
//! - **Fails** if an answer cannot be delivered; the client then sees API Gateway's `Internal server error` frame.
//!
//! Messages of one connection may be handled at the same time and in any order; the table decides which filter is last.

use std::time::Duration;

use aws_lambda_events::apigw::{ApiGatewayProxyResponse, ApiGatewayWebsocketProxyRequest};
use entity_stream_connections::{Table, TableError};
use entity_stream_delivery::{ManagementApi, Outcome};
use entity_stream_protocol::{Action, ClientMessage, Clock, ErrorCode, Filter, ServerMessage};
use entity_stream_runtime::{Caller, Failure, respond};
use lambda_runtime::LambdaEvent;
use tokio::time::Instant;
use tracing::Instrument;

/// How long an answer is tried: less than API Gateway waits for this function.
const ANSWER_TIME: Duration = Duration::from_secs(10);

/// The function, ready for events.
#[derive(Clone, Debug)]
pub struct DefaultRoute {
    table: Table,
    management_api: ManagementApi,
    clock: Clock,
}

impl DefaultRoute {
    /// The function on this table and this API.
    pub fn new(table: Table, management_api: ManagementApi, clock: Clock) -> Self {
        Self { table, management_api, clock }
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
        let span = tracing::info_span!(
            "default",
            connection_id = %caller.connection_id,
            tenant = tracing::field::Empty,
            request_id = caller.request_id,
        );
        async {
            let body = event.payload.body.as_deref().unwrap_or_default();
            if let Some(answer) = self.honour(&caller, body).await {
                self.answer(&caller, &answer).await?;
            }
            Ok(respond(200, None))
        }
        .instrument(span)
        .await
    }

    /// Does what a message asks for and returns the answer, if one is due.
    async fn honour(&self, caller: &Caller, body: &str) -> Option<ServerMessage> {
        let message = match ClientMessage::parse(body) {
            Ok(message) => message,
            Err(rejection) => {
                tracing::info!(code = rejection.code.as_str(), action = rejection.action, "message refused");
                return Some(ServerMessage::Error(rejection));
            }
        };
        let request_id = message.request_id.clone();
        match &message.action {
            Action::Ping => Some(ServerMessage::Pong(request_id)),
            Action::Subscribe(filter) => {
                let subscribed = || ServerMessage::Subscribed(filter.clone(), request_id);
                self.subscribe(caller, &message, Some(filter), subscribed).await
            }
            Action::Unsubscribe => {
                self.subscribe(caller, &message, None, || ServerMessage::Unsubscribed(request_id)).await
            }
            Action::Authenticate(_) => Some(ServerMessage::Error(
                message
                    .reject(ErrorCode::Unauthorized, "this connection takes no tokens: authentication is not in use"),
            )),
        }
    }

    async fn subscribe(
        &self,
        caller: &Caller,
        message: &ClientMessage,
        filter: Option<&Filter>,
        done: impl FnOnce() -> ServerMessage,
    ) -> Option<ServerMessage> {
        match self.table.subscribe(&caller.connection_id, filter, self.clock.now()).await {
            Ok(tenant) => {
                tracing::Span::current().record("tenant", tenant.as_str());
                tracing::info!(
                    action = message.action_name(),
                    entity_types = filter.map(|filter| filter.entity_types().len()),
                    id_pattern = filter.is_some_and(|filter| filter.id_pattern().is_some()),
                    "filter changed"
                );
                message.request_id.is_some().then(done)
            }
            Err(TableError::NotConnected) => {
                tracing::info!("message of a connection that is not registered");
                Some(ServerMessage::Error(
                    message.reject(ErrorCode::NotConnected, "the connection is not registered any more; connect again"),
                ))
            }
            Err(error) => {
                tracing::error!(%error, "the filter could not be changed");
                Some(ServerMessage::Error(
                    message.reject(ErrorCode::Internal, "the filter could not be changed; try again"),
                ))
            }
        }
    }

    async fn answer(&self, caller: &Caller, answer: &ServerMessage) -> Result<(), Failure> {
        let deadline = Instant::now() + ANSWER_TIME;
        match self.management_api.post_until(&caller.connection_id, answer.to_json().into(), deadline).await {
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
