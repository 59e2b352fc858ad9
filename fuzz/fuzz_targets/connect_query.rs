//! The query of the URL with which a client connects.

#![no_main]

use entity_stream_protocol::ConnectQuery;
use entity_stream_protocol::limits::TENANT_LENGTH;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|query: &str| {
    let parameters: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let values = |name: &str| -> Vec<&str> {
        parameters.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str()).collect()
    };
    match ConnectQuery::parse(values) {
        Ok(query) => {
            let tenant = query.tenant.as_str();
            assert!((1..=TENANT_LENGTH).contains(&tenant.len()));
            assert!(tenant.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-'));
            assert_eq!(values("tenant").len(), 1);
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});
