use std::collections::HashMap;

use aws_lambda_events::apigw::ApiGatewayWebsocketProxyRequest;
use aws_lambda_events::http::HeaderMap;
use aws_lambda_events::http::header::{HeaderName, HeaderValue, SEC_WEBSOCKET_PROTOCOL};
use entity_stream_auth::{ACCESS_TOKEN, HandshakeCredentials, offers_access_token};

/// Stands for a header that is not text, so that the header counts as malformed instead of missing.
const NOT_TEXT: &str = "\u{fffd}";

/// The handshake of a client: every value of every header and query parameter.
pub(crate) struct Handshake<'a> {
    single: &'a HeaderMap,
    several: &'a HeaderMap,
    query: HashMap<&'a str, Vec<&'a str>>,
}

impl<'a> Handshake<'a> {
    /// Reads the handshake from an event.
    pub(crate) fn of(event: &'a ApiGatewayWebsocketProxyRequest) -> Self {
        let several = &event.multi_value_query_string_parameters;
        let parameters = if several.is_empty() { &event.query_string_parameters } else { several };
        let mut query: HashMap<&str, Vec<&str>> = HashMap::new();
        for (name, value) in parameters.iter() {
            query.entry(name).or_default().push(value);
        }
        Self { single: &event.headers, several: &event.multi_value_headers, query }
    }

    /// Returns every value of a query parameter.
    pub(crate) fn query(&self, name: &str) -> Vec<&'a str> {
        self.query.get(name).cloned().unwrap_or_default()
    }

    /// Returns every value of a header. The single-valued map holds only the last value of a repeated header.
    pub(crate) fn header(&self, name: &str) -> Vec<&'a str> {
        let headers = if self.several.contains_key(name) { self.several } else { self.single };
        headers.get_all(name).iter().map(|value| value.to_str().unwrap_or(NOT_TEXT)).collect()
    }

    /// Returns the places that may hold a credential.
    pub(crate) fn credentials(&self) -> HandshakeCredentials<'a> {
        HandshakeCredentials {
            authorization: self.header("authorization"),
            subprotocols: self.header(SEC_WEBSOCKET_PROTOCOL.as_str()),
            query: self.query("token"),
        }
    }

    /// Returns the header that selects `access_token`, if the client offered this sub-protocol. A browser closes the
    /// connection if the response selects none of the offered sub-protocols. The response never repeats the token, which is
    /// the other offered value.
    pub(crate) fn selected_subprotocol(&self) -> Option<(HeaderName, HeaderValue)> {
        offers_access_token(self.header(SEC_WEBSOCKET_PROTOCOL.as_str()))
            .then(|| (SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(ACCESS_TOKEN)))
    }
}
