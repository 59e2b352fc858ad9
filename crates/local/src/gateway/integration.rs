//! A function's result as API Gateway reads it.

use std::collections::HashMap;

use entity_stream_protocol::RefusalBody;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// A Lambda proxy result. Any other key makes it malformed, as on API Gateway. A missing status is 200, and a status may be a
/// string and a header a number: REST APIs were recorded to accept these, and that WebSocket APIs do too is inferred.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ProxyResult {
    #[serde(default = "ok", deserialize_with = "status_code")]
    pub(crate) status_code: u16,
    #[serde(default)]
    headers: Option<HashMap<String, Value>>,
    #[serde(default)]
    multi_value_headers: Option<HashMap<String, Vec<Value>>>,
    #[serde(default)]
    pub(crate) body: Option<String>,
    #[serde(default, rename = "isBase64Encoded")]
    _is_base64_encoded: Option<bool>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum StatusCode {
    Number(u16),
    Text(String),
}

fn ok() -> u16 {
    200
}

fn status_code<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u16, D::Error> {
    match StatusCode::deserialize(deserializer)? {
        StatusCode::Number(code) => Ok(code),
        StatusCode::Text(code) => code.parse().map_err(serde::de::Error::custom),
    }
}

impl ProxyResult {
    /// Reads a result; `None` if it is malformed.
    pub(crate) fn parse(payload: &[u8]) -> Option<Self> {
        // Without this check, an array would be read as the values of the fields.
        let is_object = payload.trim_ascii_start().starts_with(b"{");
        if is_object { serde_json::from_slice(payload).ok() } else { None }
    }

    pub(crate) fn accepts(&self) -> bool {
        (200..300).contains(&self.status_code)
    }

    /// The one header that reaches the client.
    pub(crate) fn subprotocol(&self) -> Option<&str> {
        let is_it = |name: &str| name.eq_ignore_ascii_case("sec-websocket-protocol");
        let single = self.headers.iter().flatten().find(|(name, _)| is_it(name)).map(|(_, value)| value);
        let multi = || {
            let several = self.multi_value_headers.iter().flatten().find(|(name, _)| is_it(name))?;
            several.1.first()
        };
        single.or_else(multi).and_then(Value::as_str)
    }

    /// The `message` of a refusal's body.
    pub(crate) fn message(&self) -> Option<String> {
        RefusalBody::parse(self.body.as_deref()?).map(|body| body.message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_with_other_keys_is_malformed() {
        assert!(ProxyResult::parse(br#"{"statusCode":200,"Data":"x"}"#).is_none());
        assert!(ProxyResult::parse(b"null").is_none());
        for status in [&br#"{"statusCode":null}"#[..], br#"{"statusCode":"x"}"#, br#"{"statusCode":2.5}"#, b"[]"] {
            assert!(ProxyResult::parse(status).is_none());
        }
        assert!(ProxyResult::parse(br#"{"statusCode":200,"body":null,"headers":null}"#).unwrap().accepts());
    }

    #[test]
    fn a_result_is_read_as_leniently_as_on_aws() {
        for (result, status) in [
            (&br#"{"statusCode":"201"}"#[..], 201),
            (br#"{"statusCode":200,"headers":{"x-count":1,"x-flag":true,"x-none":null}}"#, 200),
            (br#"{"body":"x"}"#, 200),
            (b"{}", 200),
        ] {
            let result = ProxyResult::parse(result).unwrap();
            assert!(result.status_code == status && result.accepts(), "{result:?}");
        }
    }

    #[test]
    fn the_subprotocol_is_found_in_either_map() {
        let single = br#"{"statusCode":200,"headers":{"sec-websocket-protocol":"access_token"}}"#;
        let multi = br#"{"statusCode":200,"multiValueHeaders":{"Sec-WebSocket-Protocol":["access_token"]}}"#;
        for result in [&single[..], &multi[..]] {
            assert_eq!(ProxyResult::parse(result).unwrap().subprotocol(), Some("access_token"));
        }
    }
}
