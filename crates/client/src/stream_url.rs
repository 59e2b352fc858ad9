use std::fmt;
use std::net::IpAddr;

use entity_stream_protocol::{EntityType, Filter, Format, GroupId, Tenant};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tokio_tungstenite::tungstenite::http::Uri;

use crate::text::repeatable;

/// The characters that need an escape: all but those that RFC 3986 calls unreserved.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// API Gateway's limit for a URL, in bytes.
const URL_LENGTH: usize = 4096;

/// The URL of a tenant's stream. `Display` and `Debug` show it without its query, which may hold a token.
#[derive(Clone)]
pub struct StreamUrl {
    uri: Uri,
    shown: String,
    holds_filter: bool,
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
    /// The URL of a tenant's stream. The filter is part of it where possible, so that it applies from the first moment.
    ///
    /// # Errors
    /// [`InvalidStreamUrl`] if `base` is no WebSocket URL, or sets a parameter that the other arguments set.
    pub(crate) fn new(
        base: &str,
        tenant: &Tenant,
        filter: &Filter,
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
            let set_here = matches!(name, "tenant" | "entityTypes" | "idPattern" | "format");
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
        let without_filter = format!("{without_query}?{}", query.join("&"));
        let with_filter = filter_parameters(filter)
            .map(|filter| format!("{without_query}?{}", [query, filter].concat().join("&")))
            .filter(|url| url.len() <= URL_LENGTH);
        let holds_filter = with_filter.is_some();
        let uri = with_filter.unwrap_or(without_filter).parse().map_err(|_| not_web_socket(base))?;
        Ok(Self { uri, shown: repeatable(&shown), holds_filter })
    }

    /// True if the filter applies from the first moment. Otherwise it applies once `subscribe` is answered.
    pub(crate) fn holds_filter(&self) -> bool {
        self.holds_filter
    }

    /// The whole URL.
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

/// The filter as parameters. The result is `None` if a type contains a comma, which separates the types in a URL.
fn filter_parameters(filter: &Filter) -> Option<Vec<String>> {
    let types: Vec<&str> = filter.entity_types().iter().map(EntityType::as_str).collect();
    if types.iter().any(|name| name.contains(',')) {
        return None;
    }
    let types = Some(types.join(",")).filter(|types| !types.is_empty());
    let types = types.map(|types| parameter("entityTypes", &types));
    let pattern = filter.id_pattern().map(|pattern| parameter("idPattern", pattern.as_str()));
    Some(types.into_iter().chain(pattern).collect())
}

fn parameter(name: &str, value: &str) -> String {
    format!("{name}={}", utf8_percent_encode(value, ESCAPED))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream_url(url: &str, types: &[&str], pattern: Option<&str>) -> Result<StreamUrl, InvalidStreamUrl> {
        let filter = Filter::new(types.iter().copied(), pattern).unwrap();
        StreamUrl::new(url, &Tenant::parse("Demo").unwrap(), &filter, Format::Json, None)
    }

    fn uri(url: &str, types: &[&str], pattern: Option<&str>) -> String {
        stream_url(url, types, pattern).unwrap().uri.to_string()
    }

    #[test]
    fn the_query_holds_everything() {
        assert_eq!(uri("ws://localhost:3000", &[], None), "ws://localhost:3000/?tenant=demo");
        assert_eq!(
            uri("wss://x.test/prod?group_id=g", &["Room", "urn:a#b"], Some("^urn:.*&")),
            "wss://x.test/prod?group_id=g&tenant=demo&entityTypes=Room%2Curn%3Aa%23b&idPattern=%5Eurn%3A.%2A%26"
        );
        let filter = Filter::default();
        let (tenant, group) = (Tenant::parse("d").unwrap(), GroupId::parse("g").unwrap());
        let cloud = StreamUrl::new("ws://h", &tenant, &filter, Format::CloudEvents, Some(&group)).unwrap();
        assert_eq!(cloud.uri.to_string(), "ws://h/?tenant=d&format=cloudevents&group_id=g");
        assert!(StreamUrl::new("ws://h?group_id=x", &tenant, &filter, Format::Json, Some(&group)).is_err());
    }

    #[test]
    fn a_filter_that_no_url_can_hold_is_left_to_subscribe() {
        let comma = stream_url("ws://h", &["a,b"], None).unwrap();
        assert_eq!((comma.uri.to_string().as_str(), comma.holds_filter()), ("ws://h/?tenant=demo", false));
        let base = format!("ws://h/{}", "p".repeat(3000));
        let long = stream_url(&base, &["x".repeat(256).as_str()], Some(&"é".repeat(300))).unwrap();
        assert!(!long.holds_filter());
        assert!(stream_url("ws://h", &["a"], None).unwrap().holds_filter());
    }

    #[test]
    fn an_error_shows_a_valid_url_and_no_secret() {
        for url in
            ["localhost:3000", "", "ws://", "ftp://h", "/x", "ws://h h", "http://localhost:3000/x?token=eyJsecret"]
        {
            let message = stream_url(url, &[], None).unwrap_err().to_string();
            assert!(message.contains("ws://localhost:3000") && !message.contains("eyJsecret"), "{message}");
        }
        for url in ["ws://u:eyJsecret@h", "ws://u:eyJsecret@h h", "ws://h h?token=eyJsecret"] {
            let error = stream_url(url, &[], None).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("eyJsecret"));
        }
        assert_eq!(
            stream_url("ws://h?tenant=x", &[], None).unwrap_err(),
            InvalidStreamUrl::Parameter("tenant".to_owned())
        );
        let with_token = stream_url("ws://h/p?token=eyJsecret", &[], None).unwrap();
        assert_eq!(with_token.to_string(), "ws://h/p");
        assert_eq!(format!("{with_token:?}"), "StreamUrl(ws://h/p)");
    }

    #[test]
    fn a_credential_is_exposed_only_without_tls_on_a_network() {
        for (url, exposed) in [
            ("ws://localhost:3000", false),
            ("ws://127.0.0.2", false),
            ("ws://[::1]:1", false),
            ("wss://example.com", false),
            ("ws://example.com", true),
            ("ws://192.168.1.7:3000", true),
        ] {
            assert_eq!(stream_url(url, &[], None).unwrap().is_exposed(), exposed, "{url}");
        }
        assert_eq!(stream_url("ws://[::1]:1", &[], None).unwrap().host(), ("::1", 1));
    }
}
