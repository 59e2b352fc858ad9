//! The `$disconnect` function: removes a connection.
//!
//! - **Trigger**: a connection has ended. API Gateway may send the event late, twice, or never. If it sends none, a broadcast
//!   that meets 410 removes the connection, or the record expires.
//! - **Writes**: removes the connection and its interests. A repetition changes nothing.
//! - **Answers** 200. API Gateway ignores the answer.
//! - **Fails** if the table cannot be written or does not answer, so that a metric counts the failure. API Gateway does not repeat the event.
//!
//! The function works while streaming is off too, so that no connection stays in the table after streaming is switched off.

use std::time::Duration;

use aws_lambda_events::apigw::{ApiGatewayProxyResponse, ApiGatewayWebsocketProxyRequest};
use entity_stream_connections::Table;
use entity_stream_runtime::{AwsServices, Caller, DisconnectConfig, Failure, respond};
use lambda_runtime::LambdaEvent;
use tokio::time::timeout;
use tracing::Instrument;

/// The time to remove a connection. It is shorter than Lambda's, so that the failure is reported with its reason.
const TIME: Duration = Duration::from_secs(10);

/// The function, ready for events.
#[derive(Clone, Debug)]
pub struct Disconnect {
    table: Table,
}

impl Disconnect {
    /// Creates the function from its configuration.
    pub fn new(config: DisconnectConfig, aws: &AwsServices) -> Self {
        Self { table: aws.connections(config.connections_table) }
    }

    /// Handles one event.
    ///
    /// # Errors
    /// [`Failure`] if API Gateway did not send the event, or the table cannot be written.
    pub async fn handle(
        &self,
        event: LambdaEvent<ApiGatewayWebsocketProxyRequest>,
    ) -> Result<ApiGatewayProxyResponse, Failure> {
        let caller = Caller::of(&event.payload)?;
        let span = caller.span("disconnect");
        let context = &event.payload.request_context;
        async {
            let forgotten = timeout(TIME, self.table.forget(&caller.connection_id)).await;
            let tenant = forgotten.map_err(|_| Failure::new("TableUnavailable", "DynamoDB: no answer in time"))??;
            if let Some(tenant) = tenant {
                tracing::Span::current().record("tenant", tenant.as_str());
            }
            tracing::info!(
                status_code = context.disconnect_status_code,
                reason = context.disconnect_reason,
                "disconnected"
            );
            Ok(respond(200, None))
        }
        .instrument(span)
        .await
    }
}
