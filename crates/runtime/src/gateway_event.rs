use aws_lambda_events::apigw::{ApiGatewayProxyResponse, ApiGatewayWebsocketProxyRequest};
use aws_lambda_events::encodings::Body;
use entity_stream_protocol::{ConnectionId, EpochMillis};

use crate::Failure;

/// Who is behind a WebSocket event: what every event of API Gateway says of its connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The connection.
    pub connection_id: ConnectionId,
    /// When its handshake began.
    pub connected_at: EpochMillis,
    /// API Gateway's id of this request.
    pub request_id: String,
    /// The client's address.
    pub source_ip: String,
}

impl Caller {
    /// Reads it from an event.
    ///
    /// # Errors
    /// A [`Failure`] if the connection id is missing or malformed: the event is not API Gateway's.
    pub fn of(event: &ApiGatewayWebsocketProxyRequest) -> Result<Self, Failure> {
        let context = &event.request_context;
        let invalid = |problem: String| Failure::new("InvalidEvent", format!("requestContext.connectionId {problem}"));
        let id = context.connection_id.clone().ok_or_else(|| invalid("is missing".to_owned()))?;
        Ok(Self {
            connection_id: ConnectionId::parse(id).map_err(|error| invalid(format!("is malformed: {error}")))?,
            connected_at: EpochMillis::new(context.connected_at),
            request_id: context.request_id.clone().unwrap_or_default(),
            source_ip: context.identity.source_ip.clone().unwrap_or_default(),
        })
    }
}

impl Caller {
    /// The span of a request: its fields stand in every line that is logged within. The tenant is filled in when it is
    /// known.
    pub fn span(&self, function: &'static str) -> tracing::Span {
        tracing::info_span!(
            "request",
            function,
            connection_id = %self.connection_id,
            tenant = tracing::field::Empty,
            request_id = self.request_id,
        )
    }
}

/// A function's answer to API Gateway: on `$connect` the status decides, elsewhere it is ignored on one-way routes.
pub fn respond(status: u16, message: Option<&str>) -> ApiGatewayProxyResponse {
    let mut response = ApiGatewayProxyResponse::default();
    response.status_code = i64::from(status);
    response.body = message.map(|message| Body::Text(serde_json::json!({ "message": message }).to_string()));
    response
}
