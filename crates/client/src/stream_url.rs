use std::fmt;
use std::net::IpAddr;

use entity_stream_protocol::{EntityId, EntityType, Filter, Format, GroupId, Subscription, Tenant, View};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tokio_tungstenite::tungstenite::http::Uri;

use crate::text::repeatable;

/// The characters that need an escape: all but those that RFC 3986 calls unreserved.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// API Gateway's limit for a URL, in bytes.
const URL_LENGTH: usize = 4096;
/// The character that servers take for the sign of bytes that are not UTF-8.
const REPLACEMENT: char = '\u{fffd}';

/// The URL of a tenant's stream. `Display` and `Debug` show it without its query, which may hold a token.
#[derive(Clone)]
pub struct StreamUrl {
    /// The URL of a connection that opens without a subscription.
    uri: Uri,
    /// The text of the URL of a connection that opens with the default subscription to everything.
    text: String,
    shown: String,
}

/// A URL that cannot be the URL of a stream. The messages repeat neither the query nor a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidStreamUrl {
    /// The text is not a WebSocket URL.
    #[error(
        "expected a WebSocket URL such as ws://localhost:3000 or \
         wss://a1b2c3.execute-api.eu-west-1.amazonaws.com/prod{}",
        found(.0)
    )]
    NotWebSocket(String),
    /// The URL begins with http:// or https://; the field is the same URL for WebSocket, without path and query.
    #[error("a WebSocket URL begins with ws:// or wss://; try {0}")]
    Http(String),
    /// The URL holds a user name or a password.
    #[error("the URL contains a user name or a password; remove it and send a token")]
    UserInfo,
    /// The query sets a parameter that the client sets itself.
    #[error("the URL sets `{0}`, which the client sets itself; remove it from the URL")]
    Parameter(String),
}

fn found(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!("; found `{text}`") }
}

impl StreamUrl {
    /// The URL of a tenant's stream.
    ///
    /// # Errors
    /// [`InvalidStreamUrl`] if `base` is no WebSocket URL, or sets a parameter that the other arguments set.
    pub(crate) fn new(
        base: &str,
        tenant: &Tenant,
        format: Format,
        group: Option<&GroupId>,
    ) -> Result<Self, InvalidStreamUrl> {
        let uri = parse(base)?;
        let path = if uri.path().is_empty() { "/" } else { uri.path() };
        let scheme = uri.scheme_str().unwrap_or_default();
        let authority = uri.authority().map(|authority| authority.as_str()).unwrap_or_default();
        let shown = format!("{scheme}://{authority}{}", if path == "/" { "" } else { path });
        let without_query = format!("{scheme}://{authority}{path}");
        let mut query = Vec::new();
        for pair in uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
            let name = pair.split('=').next().unwrap_or_default();
            let set_here =
                matches!(name, "tenant" | "entityTypes" | "entityIds" | "idPattern" | "subscribe" | "format" | "batch");
            if set_here || (name == "group_id" && group.is_some()) {
                return Err(InvalidStreamUrl::Parameter(name.to_owned()));
            }
            query.push(pair.to_owned());
        }
        query.push(parameter("tenant", tenant.as_str()));
        if format != Format::default() {
            query.push(parameter("format", format.as_str()));
        }
        query.extend(group.map(|group| parameter("group_id", group.as_str())));
        // Frames of several events.
        query.push(parameter("batch", "true"));
        let text = format!("{without_query}?{}", query.join("&"));
        let uri = format!("{text}&subscribe=none").parse().map_err(|_| not_web_socket(base))?;
        Ok(Self { uri, text, shown: repeatable(&shown) })
    }

    /// The URL of a connection that opens with the default subscription, if it is among these and a URL can hold it. The
    /// connection opens without a subscription otherwise. In no case does it receive a change that none of them selects.
    pub(crate) fn opening_with(&self, subscriptions: &[Subscription]) -> Uri {
        let default = subscriptions.iter().find(|subscription| subscription.name.is_default());
        default.and_then(|default| self.holding(default)).unwrap_or_else(|| self.uri.clone())
    }

    /// The URL that holds this subscription, if one can.
    fn holding(&self, default: &Subscription) -> Option<Uri> {
        let parameters = parameters(default)?;
        let url = [std::slice::from_ref(&self.text), &parameters].concat().join("&");
        if url.len() <= URL_LENGTH { url.parse().ok() } else { None }
    }

    /// The URL of a connection that opens without a subscription.
    pub(crate) fn uri(&self) -> &Uri {
        &self.uri
    }

    /// The host and the port. The host of an IPv6 address is without its brackets.
    pub fn host(&self) -> (&str, u16) {
        let port = self.uri.port_u16().unwrap_or(if self.is_encrypted() { 443 } else { 80 });
        (self.uri.host().unwrap_or_default().trim_matches(['[', ']']), port)
    }

    /// True if the host is this machine.
    pub fn is_loopback(&self) -> bool {
        let (host, _) = self.host();
        host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    }

    /// True if the connection uses TLS.
    pub fn is_encrypted(&self) -> bool {
        self.uri.scheme_str() == Some("wss")
    }

    /// True if a credential would cross a network unencrypted.
    pub fn is_exposed(&self) -> bool {
        !self.is_encrypted() && !self.is_loopback()
    }
}

impl fmt::Display for StreamUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for StreamUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StreamUrl({self})")
    }
}

fn parse(url: &str) -> Result<Uri, InvalidStreamUrl> {
    let uri: Uri = url.parse().map_err(|_| not_web_socket(url))?;
    let has_host = uri.host().is_some_and(|host| !host.is_empty());
    let authority = uri.authority().map(|authority| authority.as_str()).unwrap_or_default();
    if authority.contains('@') {
        return Err(InvalidStreamUrl::UserInfo);
    }
    match uri.scheme_str() {
        Some("ws" | "wss") if has_host => Ok(uri),
        Some("http") if has_host => Err(InvalidStreamUrl::Http(format!("ws://{}", repeatable(authority)))),
        Some("https") if has_host => Err(InvalidStreamUrl::Http(format!("wss://{}", repeatable(authority)))),
        _ => Err(not_web_socket(url)),
    }
}

fn not_web_socket(url: &str) -> InvalidStreamUrl {
    // The query may contain a token, and the part before an @ may be a password.
    let shown = url.split(['?', '#']).next().unwrap_or_default();
    InvalidStreamUrl::NotWebSocket(if shown.contains('@') { String::new() } else { repeatable(shown) })
}

/// A subscription as parameters. `None` if it has more than types, ids and a pattern, or if one of them holds a comma, which
/// separates them in a URL, or a character that servers refuse in a URL.
fn parameters(subscription: &Subscription) -> Option<Vec<String>> {
    let filter = &subscription.filter;
    let pattern = filter.id_pattern().map(|pattern| pattern.as_str());
    let types: Vec<&str> = filter.entity_types().iter().map(EntityType::as_str).collect();
    let ids: Vec<&str> = filter.entity_ids().iter().map(EntityId::as_str).collect();
    let is_one = |text: &&str| !text.contains([',', REPLACEMENT]);
    if subscription.view != View::default()
        || has_other_parts(filter)
        || !types.iter().chain(&ids).all(is_one)
        || pattern.is_some_and(|pattern| pattern.contains(REPLACEMENT))
    {
        return None;
    }
    let list = |name: &str, texts: &[&str]| (!texts.is_empty()).then(|| parameter(name, &texts.join(",")));
    let pattern = pattern.map(|pattern| parameter("idPattern", pattern));
    Some([list("entityTypes", &types), list("entityIds", &ids), pattern].into_iter().flatten().collect())
}

/// Returns whether a filter has parts for which the URL has no parameter.
fn has_other_parts(filter: &Filter) -> bool {
    !filter.notification_trigger().is_empty()
        || !filter.watched_attributes().is_empty()
        || filter.q().is_some()
        || filter.geo_q().is_some()
        || filter.service_path().is_some()
}

fn parameter(name: &str, value: &str) -> String {
    format!("{name}={}", utf8_percent_encode(value, ESCAPED))
}

#[cfg(test)]
mod tests;
