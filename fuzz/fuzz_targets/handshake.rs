//! The input of a handshake: the query, `Authorization`, `Sec-WebSocket-Protocol` and `Origin`, one on each line.

#![no_main]

use entity_stream_auth::{AllowedOrigins, Credential, HandshakeCredentials, offers_access_token};
use entity_stream_protocol::ConnectQuery;
use entity_stream_protocol::limits::TENANT_LENGTH;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let mut lines = text.split('\n');
    let mut line = || lines.next().unwrap_or_default();
    let (query, authorization, subprotocols, origin, allowed) = (line(), line(), line(), line(), line());

    let parameters: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let values = |name: &str| -> Vec<&str> {
        parameters.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str()).collect()
    };
    if let Ok(query) = ConnectQuery::parse(values) {
        let tenant = query.tenant.as_str();
        assert!((1..=TENANT_LENGTH).contains(&tenant.len()));
        assert!(tenant.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-'));
        assert_eq!(values("tenant").len(), 1);
    }

    let places = HandshakeCredentials {
        authorization: Some(authorization).filter(|value| !value.is_empty()).into_iter().collect(),
        subprotocols: subprotocols.split(';').filter(|value| !value.is_empty()).collect(),
        query: values("token"),
    };
    match places.find() {
        Ok(Some(Credential::Token(token))) => {
            assert_eq!(token.expose().split('.').count(), 3);
            // The token contains no character that could break a header, a log line or a URL.
            assert!(token.expose().bytes().all(|byte| byte.is_ascii_graphic()));
        }
        Ok(Some(Credential::ApiKey { name, .. })) => assert!(!name.is_empty()),
        Ok(None) => assert!(authorization.is_empty() && !offers_access_token(places.subprotocols.iter().copied())),
        Err(refusal) => assert!((400..=599).contains(&refusal.status())),
    }

    if let Ok(origins) = AllowedOrigins::parse(allowed) {
        let admitted = origins.allow(origin);
        // The list contains the origin, or an entry with a star that matches it.
        assert!(
            !admitted || allowed.contains('*') || allowed.to_ascii_lowercase().contains(&origin.to_ascii_lowercase())
        );
    }
});
