use std::fmt;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tokio_tungstenite::tungstenite::http::HeaderValue;

use crate::dpop_key::{DpopKey, Possession};

/// The credential that a client sends in the handshake: a token, or an API key with its name. `Debug` does not show it.
#[derive(Clone)]
pub struct ClientCredential {
    kind: CredentialKind,
    /// The value of the `Authorization` header.
    header: HeaderValue,
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
        let header = header("Bearer", token).filter(|_| is_graphic(token));
        let credential = header.map(|header| Self { kind: CredentialKind::Token, header, possession: None });
        credential.ok_or(InvalidCredential::Token)
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
        let credential = header.map(|header| Self { kind: CredentialKind::ApiKey, header, possession: None });
        credential.ok_or(InvalidCredential::Key)
    }

    /// The kind: a token or an API key.
    pub fn kind(&self) -> CredentialKind {
        self.kind
    }

    /// The key to which the token is bound, if it is bound to one.
    pub(crate) fn possession(&self) -> Option<&Arc<Possession>> {
        self.possession.as_ref()
    }

    /// The value of the `Authorization` header.
    pub(crate) fn header(&self) -> &HeaderValue {
        &self.header
    }
}

impl fmt::Debug for ClientCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClientCredential({:?})", self.kind)
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
