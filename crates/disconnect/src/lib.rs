//! The `$disconnect` function: forgets a connection.
//!
//! - **Trigger**: a connection has ended. API Gateway may say so late, twice, or never; what it does not say, a broadcast
//!   that meets 410 finds out, or the record expires.
//! - **Writes**: removes the connection and its interests. Idempotent.
//! - **Answers** 200, which API Gateway ignores.
//! - **Fails** if the table cannot be written, so that the failure is counted; nothing tries again.
//!
//! It works whether streaming is switched on or off, so that switching it off leaves nothing behind.

use aws_lambda_events::apigw::{ApiGatewayProxyResponse, ApiGatewayWebsocketProxyRequest};
use entity_stream_connections::Table;
use entity_stream_runtime::{Caller, Failure, respond};
use lambda_runtime::LambdaEvent;
use tracing::Instrument;

/// The function, ready for events.
#[derive(Clone, Debug)]
pub struct Disconnect {
    table: Table,
}

impl Disconnect {
    /// The function on this table.
    pub fn new(table: Table) -> Self {
        Self { table }
    }

    /// Handles one event.
    ///
    /// # Errors
    /// A [`Failure`] if the event is not API Gateway's or the table cannot be written.
    pub async fn handle(
        &self,
        event: LambdaEvent<ApiGatewayWebsocketProxyRequest>,
    ) -> Result<ApiGatewayProxyResponse, Failure> {
        let caller = Caller::of(&event.payload)?;
        let span = caller.span("disconnect");
        let context = &event.payload.request_context;
        async {
            let tenant = self.table.forget(&caller.connection_id).await?;
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
