//! The credential that `listen` and `doctor` send.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context, anyhow};
use entity_stream_auth::{ApiKeyName, Unverified};
use entity_stream_client::{ClientCredential, InvalidCredential};

use crate::dpop_key_file::read_dpop_key;
use crate::refusal::explain;
use crate::small_file::read_small_text;
use crate::terminal;
use crate::token::is_bound;

const API_KEY: &str = "ENTITY_STREAM_API_KEY";

/// The options for a credential. A secret has a better place than an argument, which every process on the machine can
/// read.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Credential")]
pub(crate) struct CredentialArgs {
    /// The token to authenticate with; prefer the variable, which other processes cannot read
    #[arg(long, value_name = "TOKEN", env = "ENTITY_STREAM_TOKEN", hide_env_values = true)]
    token: Option<Token>,
    /// The private key (PEM) to which the token is bound; `entity-stream token --dpop` creates one. Not used, with a warning, if
    /// the token is not bound to a key (cnf.jkt)
    #[arg(long, value_name = "FILE", env = "ENTITY_STREAM_DPOP_KEY", hide_env_values = true)]
    dpop_key: Option<PathBuf>,
    /// Authenticate with the API key of this name instead; set ENTITY_STREAM_API_KEY or --api-key-file
    #[arg(long, value_name = "NAME")]
    api_key: Option<ApiKeyName>,
    /// Read the API key from this file, without white space around it
    #[arg(long, value_name = "FILE", requires = "api_key")]
    api_key_file: Option<PathBuf>,
}

impl CredentialArgs {
    /// The token, if it is the credential.
    pub(crate) fn token(&self) -> Option<&Token> {
        self.token.as_ref().filter(|token| self.api_key.is_none() && !token.expose().is_empty())
    }

    /// True if there is a key for proofs of possession.
    pub(crate) fn has_key(&self) -> bool {
        self.dpop_key.is_some()
    }

    /// The credential, if there is one. Warns if the key is not used.
    pub(crate) fn credential(self) -> anyhow::Result<Option<ClientCredential>> {
        let credential = match (self.api_key, self.token) {
            (Some(name), _) => ClientCredential::api_key(&name.to_string(), &key(self.api_key_file.as_deref())?),
            // An empty variable counts as an absent one.
            (None, Some(token)) if !token.expose().is_empty() => match self.dpop_key {
                Some(path) if token.is_bound() => ClientCredential::bound_token(token.expose(), read_dpop_key(&path)?),
                // A server refuses a proof beside such a token.
                Some(_) => {
                    terminal::note("warning: the token is not bound to a key (cnf.jkt); --dpop-key is not used");
                    ClientCredential::token(token.expose())
                }
                None => ClientCredential::token(token.expose()),
            },
            (None, _) => {
                if self.dpop_key.is_some() {
                    terminal::note("warning: --dpop-key is not used without a token that is bound to its key");
                }
                return Ok(None);
            }
        };
        credential.map(Some).map_err(|error: InvalidCredential| anyhow!(explain(&error.into(), None)))
    }
}

fn key(file: Option<&Path>) -> anyhow::Result<String> {
    let key = match file {
        Some(file) => {
            let text = read_small_text(file);
            Some(text.with_context(|| format!("cannot read the API key from {}", file.display()))?)
        }
        None => std::env::var(API_KEY).ok(),
    };
    key.filter(|key| !key.trim().is_empty())
        .with_context(|| format!("--api-key: no key found; set {API_KEY} or pass --api-key-file"))
}

/// A token as an argument. `Debug` does not show it.
#[derive(Clone)]
pub(crate) struct Token(String);

impl FromStr for Token {
    type Err = std::convert::Infallible;

    /// Takes any text: clap would repeat a text that is refused here in its message.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.trim().to_owned()))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

impl Token {
    /// The token itself.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }

    /// True if it is a token that says that it is bound to a key.
    fn is_bound(&self) -> bool {
        Unverified::read(&self.0).is_some_and(|token| is_bound(&token))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_trimmed_and_never_shown() {
        let token: Token = " eyJsecret\n".parse().unwrap();
        assert_eq!(token.expose(), "eyJsecret");
        assert!(!format!("{token:?}").contains("secret"));
    }

    #[test]
    fn an_empty_variable_is_no_credential() {
        let args = CredentialArgs { token: " ".parse().ok(), dpop_key: None, api_key: None, api_key_file: None };
        assert!(args.credential().unwrap().is_none());
    }
}
