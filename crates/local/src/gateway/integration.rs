//! A function's result as API Gateway reads it.

use std::collections::HashMap;

use entity_stream_protocol::RefusalBody;
use serde::Deserialize;

/// A Lambda proxy result. Any other key makes it malformed, as on API Gateway.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ProxyResult {
    pub(crate) status_code: u16,
    #[serde(default)]
    headers: Option<HashMap<String, String>>,
    #[serde(default)]
    multi_value_headers: Option<HashMap<String, Vec<String>>>,
    #[serde(default)]
    pub(crate) body: Option<String>,
    #[serde(default, rename = "isBase64Encoded")]
    _is_base64_encoded: Option<bool>,
}

impl ProxyResult {
    /// Reads a result; `None` if it is malformed.
    pub(crate) fn parse(payload: &[u8]) -> Option<Self> {
        serde_json::from_slice(payload).ok()
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
        single.or_else(multi).map(String::as_str)
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
        assert!(ProxyResult::parse(br#"{"body":"x"}"#).is_none());
        assert!(ProxyResult::parse(br#"{"statusCode":200,"body":null,"headers":null}"#).unwrap().accepts());
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
