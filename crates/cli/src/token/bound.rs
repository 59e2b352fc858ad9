use entity_stream_auth::Unverified;
use serde_json::Value;

/// True if a token says that it is bound to a key (DPoP).
pub(crate) fn is_bound(token: &Unverified) -> bool {
    token.claims.get("cnf").and_then(|confirmation| confirmation.get("jkt")).is_some_and(Value::is_string)
}
