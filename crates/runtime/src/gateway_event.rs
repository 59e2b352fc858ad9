use aws_lambda_events::apigw::{ApiGatewayProxyResponse, ApiGatewayWebsocketProxyRequest};
use aws_lambda_events::encodings::Body;
use entity_stream_protocol::{ConnectionId, EpochMillis, RefusalBody};

use crate::failure::Failure;

/// The client of a WebSocket event. Every event of API Gateway holds these values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The connection.
    pub connection_id: ConnectionId,
    /// The time at which the handshake began.
    pub connected_at: EpochMillis,
    /// The id that API Gateway gave this request.
    pub request_id: String,
    /// The IP address of the client.
    pub source_ip: String,
    /// The host to which the client connected, with its port if it is not the default port.
    pub domain_name: String,
    /// The stage of the API.
    pub stage: String,
}

impl Caller {
    /// Reads the client from an event.
    ///
    /// # Errors
    /// A [`Failure`] if the connection id is missing or malformed. Events of API Gateway have a valid one.
    pub fn of(event: &ApiGatewayWebsocketProxyRequest) -> Result<Self, Failure> {
        let context = &event.request_context;
        let invalid = |problem: String| Failure::new("InvalidEvent", format!("requestContext.connectionId {problem}"));
        let id = context.connection_id.clone().ok_or_else(|| invalid("is missing".to_owned()))?;
        Ok(Self {
            connection_id: ConnectionId::parse(id).map_err(|error| invalid(format!("is malformed: {error}")))?,
            connected_at: EpochMillis::new(context.connected_at),
            request_id: context.request_id.clone().unwrap_or_default(),
            source_ip: context.identity.source_ip.clone().unwrap_or_default(),
            domain_name: context.domain_name.clone().unwrap_or_default(),
            stage: context.stage.clone().unwrap_or_default(),
        })
    }

    /// Creates the span of a request. Every log line within the span has its fields. The function records the tenant as soon
    /// as it knows the tenant.
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

/// Creates the answer of a function to API Gateway. On `$connect`, the status accepts or refuses the handshake. API Gateway
/// ignores the answer of the other routes, because they are one-way.
pub fn respond(status: u16, message: Option<&str>) -> ApiGatewayProxyResponse {
    let mut response = ApiGatewayProxyResponse::default();
    response.status_code = i64::from(status);
    response.body = message.map(|message| Body::Text(RefusalBody::new(message).to_json()));
    response
}
