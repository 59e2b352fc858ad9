use aws_lambda_events::apigw::ApiGatewayWebsocketProxyRequest;
use aws_lambda_events::http::header::{HeaderName, HeaderValue};

/// What a browser offers, beside its token, to carry the token in the handshake.
const ACCESS_TOKEN: &str = "access_token";

/// The header that selects `access_token`, if the client offered it. A browser drops a connection whose response selects
/// nothing it offered, and the token that comes with it is never repeated.
pub(crate) fn selected(event: &ApiGatewayWebsocketProxyRequest) -> Option<(HeaderName, HeaderValue)> {
    let name = HeaderName::from_static("sec-websocket-protocol");
    let mut offers = event.headers.get_all(&name).iter().peekable();
    let several = event.multi_value_headers.get_all(&name);
    let offered = |value: &HeaderValue| {
        value.to_str().is_ok_and(|offer| offer.split(',').any(|protocol| protocol.trim() == ACCESS_TOKEN))
    };
    let found = if offers.peek().is_some() { offers.any(offered) } else { several.iter().any(offered) };
    found.then(|| (name, HeaderValue::from_static(ACCESS_TOKEN)))
}
