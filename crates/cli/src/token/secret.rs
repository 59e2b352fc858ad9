use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};
use aws_config::SdkConfig;
use aws_lc_rs::rand::fill;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use entity_stream_auth::{SECRET_BYTES, SigningSecret};
use entity_stream_runtime::environment::{JWT_JWKS_URL, JWT_SECRET, JWT_SECRET_ARN};
use entity_stream_runtime::{Environment, read_secret};

use crate::aws::Aws;
use crate::small_file::read_small;
use crate::system::{StackOutput, TargetOption};
use crate::token::overlay::overlay;

/// The options for the place of the signing secret. The secret is never an argument, because every process on the machine
/// can read arguments.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Signing secret (or set JWT_SECRET or JWT_SECRET_ARN)")]
pub(crate) struct SecretSource {
    #[command(flatten)]
    target: TargetOption,
    /// Read the secret from this text file, without the line break at its end
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
    /// Read this secret from Secrets Manager, with the usual AWS credentials
    #[arg(long, value_name = "ARN", conflicts_with = "secret_file")]
    secret_arn: Option<String>,
    /// The AWS profile with the credentials [default: that of the target] [env: AWS_PROFILE]
    #[arg(long, value_name = "NAME", conflicts_with = "secret_file")]
    profile: Option<String>,
}

impl SecretSource {
    /// The environment in which a secret that an option names is the only one.
    pub(crate) fn environment(&self, environment: &Environment) -> anyhow::Result<Environment> {
        let only = |secret: String, arn: String| {
            overlay(environment, [(JWT_SECRET, secret), (JWT_SECRET_ARN, arn), (JWT_JWKS_URL, String::new())])
        };
        Ok(match (&self.secret_file, &self.secret_arn) {
            (Some(path), _) => only(read(path)?, String::new()),
            (None, Some(arn)) => only(String::new(), arn.clone()),
            (None, None) => match self.arn_of_target(environment)? {
                Some(arn) => only(String::new(), arn),
                None => environment.clone(),
            },
        })
    }

    /// The secret of the target. The option wins over the variables, and the variables over the other ways to name a target.
    fn arn_of_target(&self, environment: &Environment) -> anyhow::Result<Option<String>> {
        let has_variable = |variable| environment.optional(variable).is_some();
        let is_given = self.target.is_given();
        if !is_given && [JWT_SECRET, JWT_SECRET_ARN, JWT_JWKS_URL].into_iter().any(has_variable) {
            return Ok(None);
        }
        let system = self.target.system()?;
        Ok(match system.deployed() {
            Some(system) if is_given => {
                Some(system.need(StackOutput::SigningSecretArn, "--secret-file FILE or --secret-arn ARN")?.to_owned())
            }
            Some(system) => system.get(StackOutput::SigningSecretArn).map(str::to_owned),
            None => None,
        })
    }

    /// The secret that this environment names.
    pub(crate) async fn secret(&self, environment: &Environment) -> anyhow::Result<SigningSecret> {
        match (environment.optional(JWT_SECRET), environment.optional(JWT_SECRET_ARN)) {
            (Some(secret), None) => secret_of(secret, "JWT_SECRET"),
            (None, Some(arn)) => {
                let secret = read_secret(&self.aws(&arn).await?, &arn).await;
                secret_of(
                    secret.context("cannot read the secret from Secrets Manager")?,
                    "the secret in Secrets Manager",
                )
            }
            (Some(_), Some(_)) => bail!("JWT_SECRET and JWT_SECRET_ARN are both set; unset one of them"),
            (None, None) if environment.optional(JWT_JWKS_URL).is_some() => bail!(
                "JWT_JWKS_URL is set, so only its identity provider can sign tokens; set JWT_SECRET or pass --secret-file to sign for another system"
            ),
            (None, None) => bail!(
                "no signing secret: set JWT_SECRET (`entity-stream local --auth` prints one) or JWT_SECRET_ARN, or pass --secret-file or --secret-arn"
            ),
        }
    }

    /// The AWS configuration for reading a secret, in the secret's own region.
    pub(crate) async fn aws(&self, arn: &str) -> anyhow::Result<SdkConfig> {
        let region = arn.split(':').nth(3).filter(|region| !region.is_empty());
        let system = self.target.system().ok();
        let of_target = system.as_ref().and_then(|system| system.deployed()?.profile());
        Aws { profile: self.profile.as_deref().or(of_target), region, endpoint: None }.load().await
    }
}

fn secret_of(bytes: impl Into<Vec<u8>>, what: &str) -> anyhow::Result<SigningSecret> {
    SigningSecret::new(bytes)
        .map_err(|error| anyhow!("{what} is too short: {error}; `openssl rand -base64 32` generates a secret"))
}

fn read(path: &Path) -> anyhow::Result<String> {
    let bytes = read_small(path).with_context(|| format!("cannot read --secret-file {}", path.display()))?;
    // The library's error shows a position in the secret.
    let text = String::from_utf8(bytes).map_err(|_| anyhow!("--secret-file {} is not a text file", path.display()))?;
    let secret = text.strip_suffix('\n').map_or(text.as_str(), |line| line.strip_suffix('\r').unwrap_or(line));
    secret_of(secret, "the secret in --secret-file")?;
    Ok(secret.to_owned())
}

/// A new random secret, as text.
pub(crate) fn fresh_secret() -> anyhow::Result<String> {
    let mut bytes = [0; SECRET_BYTES];
    fill(&mut bytes).map_err(|_| anyhow!("the operating system returned no random numbers"))?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn secret(pairs: &'static [(&str, &str)]) -> anyhow::Result<SigningSecret> {
        let lookup = |name: &str| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        SecretSource::default().secret(&Environment::new(lookup)).await
    }

    #[tokio::test]
    async fn the_secret_comes_from_the_one_place_that_has_it() {
        let long = "0123456789abcdef0123456789abcdef";
        assert_eq!(
            secret(&[("JWT_SECRET", "0123456789abcdef0123456789abcdef")]).await.unwrap().expose(),
            long.as_bytes()
        );
        for (pairs, expected) in [
            (&[("JWT_SECRET", "short-secret")][..], "JWT_SECRET is too short"),
            (&[("JWT_SECRET", "short-secret"), ("JWT_SECRET_ARN", "arn:x")], "both set"),
            (&[("JWT_JWKS_URL", "https://x")], "only its identity provider"),
            (&[("JWT_SECRET", "")], "entity-stream local --auth"),
        ] {
            let error = format!("{:#}", secret(pairs).await.unwrap_err());
            assert!(error.contains(expected) && !error.contains("short-secret"), "{error}");
        }
    }

    #[test]
    fn fresh_secrets_are_long_enough_and_differ() {
        let (one, other) = (fresh_secret().unwrap(), fresh_secret().unwrap());
        assert!(SigningSecret::new(one.as_str()).is_ok());
        assert_ne!(one, other);
    }
}
