use std::fmt;
use std::net::IpAddr;

use anyhow::{anyhow, bail, ensure};
use entity_stream_protocol::{EntityType, Filter, Format, GroupId, Tenant};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::client::Request;
use tokio_tungstenite::tungstenite::http::{HeaderValue, Uri, header};

use super::Credential;
use crate::terminal::printable;

/// What RFC 3986 calls unreserved needs no escape.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// API Gateway's limit for a URL.
const URL_LENGTH: usize = 4096;
const EXAMPLE: &str = "ws://localhost:3000 or wss://a1b2c3.execute-api.eu-west-1.amazonaws.com/prod";

/// Whom to connect to, and as what. Shown without its query, which may hold a token.
#[derive(Clone, Debug)]
pub(crate) struct Address {
    uri: Uri,
    shown: String,
    filtered: bool,
}

impl Address {
    /// The address of a tenant's stream. The filter is part of it where it can be, so that it is in force from the
    /// first moment.
    pub(crate) fn new(
        url: &str,
        tenant: &Tenant,
        filter: &Filter,
        format: Format,
        group: Option<&GroupId>,
    ) -> anyhow::Result<Self> {
        let base = parse(url)?;
        let path = if base.path().is_empty() { "/" } else { base.path() };
        let scheme = base.scheme_str().unwrap_or_default();
        let authority = base.authority().map(|authority| authority.as_str()).unwrap_or_default();
        let shown = format!("{scheme}://{authority}{}", if path == "/" { "" } else { path });
        let base_url = format!("{scheme}://{authority}{path}");
        let mut query = Vec::new();
        for pair in base.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
            let name = pair.split('=').next().unwrap_or_default();
            let given = matches!(name, "tenant" | "entityTypes" | "idPattern" | "format");
            if given || (name == "group_id" && group.is_some()) {
                bail!("--url: leave `{name}` out of the URL, which the other arguments give");
            }
            query.push(pair.to_owned());
        }
        query.push(parameter("tenant", tenant.as_str()));
        if format != Format::default() {
            query.push(parameter("format", format.as_str()));
        }
        query.extend(group.map(|group| parameter("group_id", group.as_str())));
        let least = format!("{base_url}?{}", query.join("&"));
        let whole = filter_parameters(filter)
            .map(|filter| format!("{base_url}?{}", [query, filter].concat().join("&")))
            .filter(|url| url.len() <= URL_LENGTH);
        let filtered = whole.is_some();
        let uri = whole.unwrap_or(least).parse().map_err(|_| invalid(url))?;
        Ok(Self { uri, shown: printable(&shown).into_owned(), filtered })
    }

    /// Whether the filter is in force from the first moment; otherwise only once `subscribe` is answered.
    pub(crate) fn is_filtered(&self) -> bool {
        self.filtered
    }

    /// The address of everything in a tenant's stream.
    pub(crate) fn of(url: &str, tenant: &Tenant) -> anyhow::Result<Self> {
        Self::new(url, tenant, &Filter::default(), Format::default(), None)
    }

    /// The host, an IPv6 address without its brackets, and the port.
    pub(crate) fn host(&self) -> (&str, u16) {
        let port = self.uri.port_u16().unwrap_or(if self.is_encrypted() { 443 } else { 80 });
        (self.uri.host().unwrap_or_default().trim_matches(['[', ']']), port)
    }

    /// Whether it is on this machine.
    pub(crate) fn is_loopback(&self) -> bool {
        let (host, _) = self.host();
        host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    }

    /// Whether TLS is used.
    pub(crate) fn is_encrypted(&self) -> bool {
        self.uri.scheme_str() == Some("wss")
    }

    /// Whether a credential would travel readable through a network.
    pub(crate) fn is_exposed(&self) -> bool {
        !self.is_encrypted() && !self.is_loopback()
    }

    /// The handshake's request.
    pub(crate) fn request(&self, credential: Option<&Credential>) -> anyhow::Result<Request> {
        // The library's error may repeat the URL.
        let mut request = self.uri.clone().into_client_request().map_err(|_| anyhow!("cannot use the URL {self}"))?;
        let agent = concat!("entity-stream/", env!("CARGO_PKG_VERSION"));
        request.headers_mut().insert(header::USER_AGENT, HeaderValue::from_static(agent));
        if let Some(credential) = credential {
            request.headers_mut().insert(header::AUTHORIZATION, credential.header()?);
        }
        Ok(request)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

fn parse(url: &str) -> anyhow::Result<Uri> {
    let uri: Uri = url.parse().map_err(|_| invalid(url))?;
    let host = uri.host().is_some_and(|host| !host.is_empty());
    let authority = uri.authority().map(|authority| authority.as_str()).unwrap_or_default();
    ensure!(!authority.contains('@'), "--url: a name or a password has no place in the URL; give a token with --token");
    match uri.scheme_str() {
        Some("ws" | "wss") if host => Ok(uri),
        Some("http" | "https") if host => {
            let scheme = if uri.scheme_str() == Some("https") { "wss" } else { "ws" };
            bail!("--url: a WebSocket URL begins with ws:// or wss://; try {scheme}://{}", printable(authority))
        }
        _ => Err(invalid(url)),
    }
}

fn invalid(url: &str) -> anyhow::Error {
    // Up to the query, which may hold a token; and not what may be a password.
    let shown = url.split(['?', '#']).next().unwrap_or_default();
    let shown = if shown.contains('@') { String::new() } else { format!(", not `{}`", printable(shown)) };
    anyhow!("--url is a WebSocket URL such as {EXAMPLE}{shown}")
}

/// The filter as a URL says it, if it can: types are separated by commas there, and may contain commas.
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

    fn address(url: &str, types: &[&str], pattern: Option<&str>) -> anyhow::Result<Address> {
        let filter = Filter::new(types.iter().copied(), pattern).unwrap();
        Address::new(url, &Tenant::parse("Demo").unwrap(), &filter, Format::Json, None)
    }

    fn uri(url: &str, types: &[&str], pattern: Option<&str>) -> String {
        address(url, types, pattern).unwrap().uri.to_string()
    }

    #[test]
    fn says_everything_in_the_query() {
        assert_eq!(uri("ws://localhost:3000", &[], None), "ws://localhost:3000/?tenant=demo");
        assert_eq!(
            uri("wss://x.test/prod?group_id=g", &["Room", "urn:a#b"], Some("^urn:.*&")),
            "wss://x.test/prod?group_id=g&tenant=demo&entityTypes=Room%2Curn%3Aa%23b&idPattern=%5Eurn%3A.%2A%26"
        );
        let filter = Filter::default();
        let (tenant, group) = (Tenant::parse("d").unwrap(), GroupId::parse("g").unwrap());
        let cloud = Address::new("ws://h", &tenant, &filter, Format::CloudEvents, Some(&group)).unwrap();
        assert_eq!(cloud.uri.to_string(), "ws://h/?tenant=d&format=cloudevents&group_id=g");
        assert!(Address::new("ws://h?group_id=x", &tenant, &filter, Format::Json, Some(&group)).is_err());
    }

    #[test]
    fn leaves_a_filter_to_subscribe_that_a_url_cannot_say() {
        let comma = address("ws://h", &["a,b"], None).unwrap();
        assert_eq!((comma.uri.to_string().as_str(), comma.is_filtered()), ("ws://h/?tenant=demo", false));
        let long: Vec<String> = (0..50).map(|i| format!("{i}{}", "x".repeat(200))).collect();
        let long = address("ws://h", &long.iter().map(String::as_str).collect::<Vec<_>>(), None).unwrap();
        assert!(!long.is_filtered());
        assert!(address("ws://h", &["a"], None).unwrap().is_filtered());
    }

    #[test]
    fn says_what_a_url_looks_like_and_shows_no_secret() {
        for url in
            ["localhost:3000", "", "ws://", "ftp://h", "/x", "ws://h h", "http://localhost:3000/x?token=eyJsecret"]
        {
            let message = address(url, &[], None).unwrap_err().to_string();
            assert!(message.contains("ws://localhost:3000") && !message.contains("eyJsecret"), "{message}");
        }
        for url in ["ws://u:eyJsecret@h", "ws://u:eyJsecret@h h", "ws://h h?token=eyJsecret"] {
            assert!(!address(url, &[], None).unwrap_err().to_string().contains("eyJsecret"));
        }
        assert!(address("ws://h?tenant=x", &[], None).unwrap_err().to_string().contains("`tenant`"));
        let with_token = address("ws://h/p?token=eyJsecret", &[], None).unwrap();
        assert_eq!(with_token.to_string(), "ws://h/p");
    }

    #[test]
    fn knows_when_a_token_would_be_readable() {
        for (url, exposed) in [
            ("ws://localhost:3000", false),
            ("ws://127.0.0.2", false),
            ("ws://[::1]:1", false),
            ("wss://example.com", false),
            ("ws://example.com", true),
            ("ws://192.168.1.7:3000", true),
        ] {
            assert_eq!(address(url, &[], None).unwrap().is_exposed(), exposed, "{url}");
        }
    }
}
