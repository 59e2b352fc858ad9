use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use entity_stream_auth::ApiKeyName;
use tokio_tungstenite::tungstenite::http::HeaderValue;

use super::Token;

const API_KEY: &str = "ENTITY_STREAM_API_KEY";

/// What to show at the door. Never a secret as an argument that has a better place: every process on the machine can
/// read another's arguments.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Who you are")]
pub(crate) struct CredentialArgs {
    /// The token to authenticate with; the variable keeps it out of the process list
    #[arg(long, value_name = "TOKEN", env = "ENTITY_STREAM_TOKEN", hide_env_values = true)]
    token: Option<Token>,
    /// Authenticate with the API key of this name instead; the key is in ENTITY_STREAM_API_KEY or a file
    #[arg(long, value_name = "NAME")]
    api_key: Option<ApiKeyName>,
    /// The API key is in this file; a line break at its end is not part of it
    #[arg(long, value_name = "FILE", requires = "api_key")]
    api_key_file: Option<PathBuf>,
}

/// A token, or an API key with its name. Sent, and never shown.
#[derive(Clone)]
pub(crate) enum Credential {
    /// A JSON Web Token.
    Token(Token),
    /// An API key.
    ApiKey(ApiKeyName, String),
}

impl CredentialArgs {
    /// The credential, if there is one.
    pub(crate) fn credential(self) -> anyhow::Result<Option<Credential>> {
        match self.api_key {
            Some(name) => Ok(Some(Credential::ApiKey(name, key(self.api_key_file.as_deref())?))),
            None => Ok(self.token.filter(|token| !token.is_empty()).map(Credential::Token)),
        }
    }
}

fn key(file: Option<&Path>) -> anyhow::Result<String> {
    let key = match file {
        Some(file) => {
            let text = std::fs::read_to_string(file);
            Some(text.with_context(|| format!("cannot read the API key from {}", file.display()))?)
        }
        None => std::env::var(API_KEY).ok(),
    };
    let key = key.map(|key| key.trim().to_owned()).filter(|key| !key.is_empty());
    let key = key.with_context(|| format!("--api-key: there is no key; set {API_KEY}, or give --api-key-file"))?;
    let plain = key.bytes().all(|byte| byte.is_ascii_graphic());
    ensure!(plain, "--api-key: the key has a character that no key has; `entity-stream keys create` prints one");
    Ok(key)
}

impl Credential {
    /// What people call it.
    pub(crate) fn noun(&self) -> &'static str {
        match self {
            Self::Token(_) => "token",
            Self::ApiKey(..) => "API key",
        }
    }

    /// The value of the `Authorization` header.
    pub(crate) fn header(&self) -> anyhow::Result<HeaderValue> {
        match self {
            Self::Token(token) => token.header(),
            Self::ApiKey(name, key) => {
                let mut value = HeaderValue::from_str(&format!("Basic {}", STANDARD.encode(format!("{name}:{key}"))))?;
                value.set_sensitive(true);
                Ok(value)
            }
        }
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credential({})", self.noun())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_never_shown() {
        let credential = Credential::ApiKey("robot".parse().unwrap(), "es_secret".to_owned());
        assert_eq!(credential.header().unwrap(), "Basic cm9ib3Q6ZXNfc2VjcmV0");
        assert!(!format!("{credential:?} {:?}", credential.header()).contains("secret"));
        assert!(!format!("{:?}", credential.header()).contains("cm9ib3Q6"));
    }
}
