use std::fmt;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use entity_stream_protocol::{AccessToken, Action, DpopProof};
use tokio_tungstenite::tungstenite::http::HeaderValue;

use crate::dpop_key::{DpopKey, NoRandomNumbers, Possession};

/// The credential of a client: a token, or an API key with its name. `Debug` does not show the credential.
#[derive(Clone)]
pub struct ClientCredential {
    /// The value of the `Authorization` header.
    header: HeaderValue,
    /// The token. `None` for an API key.
    token: Option<AccessToken>,
    /// The key to which the token is bound.
    possession: Option<Arc<Possession>>,
}

/// The kind of a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CredentialKind {
    /// A JSON Web Token.
    Token,
    /// An API key.
    ApiKey,
}

/// A text that cannot be sent as a credential. The messages do not repeat it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCredential {
    /// The token is empty, or has a space or another character that no token has.
    #[error("the token is empty or contains a character that no token has; pass the token alone, without `Bearer`")]
    Token,
    /// An API key cannot be in the first message, which takes a token.
    #[error("an API key cannot authenticate in band; use a token, or send the key in the handshake")]
    KeyInBand,
    /// The name of the API key is empty, or has a colon or another character that no name has.
    #[error("the name of the API key is empty or contains a character that no name has; use A-Z a-z 0-9 _ - .")]
    KeyName,
    /// The API key is empty, or has a space or another character that no key has.
    #[error("the API key is empty or contains a character that no key has; pass the key alone, without its name")]
    Key,
}

impl ClientCredential {
    /// A JSON Web Token, without `Bearer`. White space around it is ignored.
    ///
    /// # Errors
    /// [`InvalidCredential::Token`] if the text cannot be a token.
    pub fn token(token: &str) -> Result<Self, InvalidCredential> {
        let token = token.trim();
        let header = header("Bearer", token).filter(|_| is_graphic(token)).ok_or(InvalidCredential::Token)?;
        Ok(Self { header, token: AccessToken::new(token), possession: None })
    }

    /// A JSON Web Token that is bound to this key (DPoP). The client proves on each connection that it has the key.
    ///
    /// # Errors
    /// As for [`ClientCredential::token`].
    pub fn bound_token(token: &str, key: DpopKey) -> Result<Self, InvalidCredential> {
        Self::token_of_key(token, Arc::new(key))
    }

    /// The same with a key that other tokens are bound to as well.
    pub(crate) fn token_of_key(token: &str, key: Arc<DpopKey>) -> Result<Self, InvalidCredential> {
        let credential = Self::token(token)?;
        Ok(Self { possession: Some(Arc::new(Possession::new(token.trim(), key))), ..credential })
    }

    /// An API key and its name. White space around the key is ignored.
    ///
    /// # Errors
    /// [`InvalidCredential::KeyName`] or [`InvalidCredential::Key`] if a text cannot be one.
    pub fn api_key(name: &str, key: &str) -> Result<Self, InvalidCredential> {
        let key = key.trim();
        if !is_graphic(name) || name.contains(':') {
            return Err(InvalidCredential::KeyName);
        }
        let header = header("Basic", &STANDARD.encode(format!("{name}:{key}"))).filter(|_| is_graphic(key));
        Ok(Self { header: header.ok_or(InvalidCredential::Key)?, token: None, possession: None })
    }

    /// The kind: a token or an API key.
    pub fn kind(&self) -> CredentialKind {
        if self.token.is_some() { CredentialKind::Token } else { CredentialKind::ApiKey }
    }

    /// True if the token is bound to a key.
    pub(crate) fn is_bound(&self) -> bool {
        self.possession.is_some()
    }

    /// A new proof for this URL, if the token is bound to a key.
    ///
    /// # Errors
    /// [`NoRandomNumbers`].
    pub(crate) fn prove(&self, url: &str) -> Result<Option<DpopProof>, NoRandomNumbers> {
        self.possession.as_ref().map(|possession| possession.prove(url)).transpose()
    }

    /// The message that authenticates a connection to this URL: with the token if `is_in_band`, and otherwise with the proof for the
    /// token of the handshake. `None` if the handshake has the whole credential.
    ///
    /// # Errors
    /// [`NoRandomNumbers`].
    pub(crate) fn first_message(&self, is_in_band: bool, url: &str) -> Result<Option<Action>, NoRandomNumbers> {
        let proof = self.prove(url)?;
        Ok(match &self.token {
            Some(token) if is_in_band => Some(Action::Authenticate { token: token.clone(), proof }),
            _ => proof.map(|proof| Action::DpopBind { proof }),
        })
    }

    /// The value of the `Authorization` header.
    pub(crate) fn header(&self) -> &HeaderValue {
        &self.header
    }
}

impl fmt::Debug for ClientCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClientCredential({:?})", self.kind())
    }
}

fn header(scheme: &str, secret: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(&format!("{scheme} {secret}")).ok()?;
    value.set_sensitive(true);
    Some(value)
}

fn is_graphic(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_becomes_a_header_and_is_never_shown() {
        let token = ClientCredential::token(" eyJsecret\n").unwrap();
        assert_eq!(token.header(), "Bearer eyJsecret");
        let key = ClientCredential::api_key("robot", "es_secret\n").unwrap();
        assert_eq!(key.header(), "Basic cm9ib3Q6ZXNfc2VjcmV0");
        for credential in [token, key] {
            let shown = format!("{credential:?} {:?}", credential.header());
            assert!(!shown.contains("secret") && !shown.contains("cm9ib3Q6"), "{shown}");
        }
    }

    #[test]
    fn a_malformed_credential_is_refused_and_not_repeated() {
        for text in ["Bearer eyJsecret", "eyJ\u{1}secret", "eyJsecreté", "", " "] {
            let error = ClientCredential::token(text).unwrap_err();
            assert_eq!(error, InvalidCredential::Token);
            assert!(!format!("{error:?} {error}").contains("secret"));
        }
        for name in ["a:b", "", "a b"] {
            assert_eq!(ClientCredential::api_key(name, "es_x").unwrap_err(), InvalidCredential::KeyName);
        }
        for key in ["es secret", "", "\n"] {
            assert_eq!(ClientCredential::api_key("robot", key).unwrap_err(), InvalidCredential::Key);
        }
    }
}
