use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use entity_stream_protocol::ConnectionId;

/// An id in API Gateway's form: 15 characters of URL-safe base64 and `=`.
pub(crate) fn new_id() -> String {
    let bytes: [u8; 11] = std::array::from_fn(|_| fastrand::u8(..));
    URL_SAFE.encode(bytes)
}

/// A message's id: it ends as its connection's id does.
pub(crate) fn message_id(connection_id: &ConnectionId) -> String {
    let connection_id = connection_id.as_str();
    let tail = connection_id.get(connection_id.len().saturating_sub(8)..).unwrap_or_default();
    let mut id = new_id();
    id.truncate(8);
    id + tail
}

/// True if API Gateway could have issued an id. The last two bits of the last character have no meaning.
pub(crate) fn is_well_formed(id: &str) -> bool {
    let id = id.as_bytes().strip_suffix(b"=");
    id.is_some_and(|id| id.len() == 15 && id.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_look_like_api_gateways() {
        let id = new_id();
        assert_eq!((id.len(), id.ends_with('=')), (16, true), "{id}");
        assert!(is_well_formed(&id));
        let connection_id = ConnectionId::parse(id).unwrap();
        let message_id = message_id(&connection_id);
        assert_eq!(message_id.len(), 16);
        assert!(message_id.ends_with(&connection_id.as_str()[8..]));
        for id in ["XyZ12cdeIAMCJ1g=", "___-----_______=", "AAAAAAAAAAAAAAB="] {
            assert!(is_well_formed(id), "{id}");
        }
        for id in [
            "",
            "=",
            "short",
            "c2hvcnQ=",
            "XyZ12cdeIAMCJ1g",
            "XyZ12cdeIAMCJ1gA",
            "XyZ12cdeIAMCJ1==",
            "XyZ12cde+AMCJ1g=",
        ] {
            assert!(!is_well_formed(id), "{id}");
        }
    }
}
