use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use entity_stream_protocol::AccessToken;
use serde_json::{Map, Value};

use crate::refusal::Refusal;

/// The length of a SHA-256 in base64.
const HASH_LENGTH: usize = 43;

/// The key to which a token is bound, and the token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProofBinding {
    /// The thumbprint of the key (RFC 7638).
    pub key: String,
    /// The SHA-256 of the token in base64, the `ath` of a proof.
    pub token: String,
}

impl ProofBinding {
    /// The binding in the claims of a token; `None` for a bearer token.
    ///
    /// # Errors
    /// [`Refusal::Confirmation`] if the token is bound in any other way than to a thumbprint (`jkt`). Without the proof that the
    /// client has the key, anyone could use a stolen token (RFC 7800).
    pub(crate) fn of(token: &AccessToken, claims: &Map<String, Value>) -> Result<Option<Self>, Refusal> {
        let confirmation = match claims.get("cnf") {
            None | Some(Value::Null) => return Ok(None),
            Some(confirmation) => confirmation.as_object().ok_or(Refusal::Confirmation)?,
        };
        let key = confirmation.get("jkt").and_then(Value::as_str).filter(|key| key.len() == HASH_LENGTH);
        match key {
            // A second way to bind the token would not be proved.
            Some(key) if confirmation.len() == 1 => Ok(Some(Self { key: key.to_owned(), token: hash(token.expose()) })),
            _ => Err(Refusal::Confirmation),
        }
    }
}

/// The SHA-256 of a text in base64.
pub(super) fn hash(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, text.as_bytes()))
}
