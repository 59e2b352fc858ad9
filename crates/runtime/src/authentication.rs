use aws_config::SdkConfig;
use aws_sdk_secretsmanager::error::ProvideErrorMetadata;
use entity_stream_auth::{Authenticator, ClaimPath, ClaimPaths, JwksCache, Keys, ShortSecret, SigningSecret, Verifier};

use crate::environment::{
    AUTH_ENABLED, JWT_AUDIENCE, JWT_ISSUER, JWT_JWKS_URL, JWT_ROLE_CLAIM, JWT_SECRET, JWT_SECRET_ARN, JWT_TENANT_CLAIMS,
};
use crate::{Environment, InvalidVariable};

/// Why a function that needs authentication cannot start.
#[derive(Debug, thiserror::Error)]
pub enum AuthenticationError {
    /// A variable is missing or malformed.
    #[error(transparent)]
    Variable(#[from] InvalidVariable),
    /// The secret cannot be read from Secrets Manager.
    #[error("the secret of JWT_SECRET_ARN cannot be read: {0}")]
    Secret(#[from] UnreadableSecret),
}

/// Why a secret cannot be read from Secrets Manager: the error's code and message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UnreadableSecret(String);

/// Checks tokens and API keys; `None` while `AUTH_ENABLED` is `false`. `dynamodb` is the AWS configuration for the table of
/// API keys, `secrets` as for [`verifier`].
///
/// # Errors
/// [`AuthenticationError`] names what is missing or malformed, never a secret.
pub async fn authenticator(
    environment: &Environment,
    dynamodb: &SdkConfig,
    secrets: &SdkConfig,
) -> Result<Option<Authenticator>, AuthenticationError> {
    let Some(verifier) = verifier(environment, secrets).await? else { return Ok(None) };
    Ok(Some(Authenticator::new(verifier, environment.api_keys(dynamodb)?)))
}

/// Checks tokens; `None` while `AUTH_ENABLED` is `false`. `secrets` is the AWS configuration for Secrets Manager, which is
/// asked only if `JWT_SECRET_ARN` is set.
///
/// # Errors
/// [`AuthenticationError`] names what is missing or malformed, never a secret.
pub async fn verifier(environment: &Environment, secrets: &SdkConfig) -> Result<Option<Verifier>, AuthenticationError> {
    if !environment.flag(AUTH_ENABLED)? {
        return Ok(None);
    }
    let verifier = Verifier::new(keys(environment, secrets).await?, claim_paths(environment))
        .with_issuer(environment.optional(JWT_ISSUER))
        .with_audience(environment.optional(JWT_AUDIENCE));
    Ok(Some(verifier))
}

async fn keys(environment: &Environment, secrets: &SdkConfig) -> Result<Keys, AuthenticationError> {
    let secret = environment.optional(JWT_SECRET);
    let arn = environment.optional(JWT_SECRET_ARN);
    let url = environment.optional(JWT_JWKS_URL);
    let short = |variable| move |ShortSecret| InvalidVariable { variable, problem: "is too short a secret" };
    match (secret, arn, url) {
        (Some(secret), None, None) => Ok(Keys::Secret(SigningSecret::new(secret).map_err(short(JWT_SECRET))?)),
        (None, Some(arn), None) => {
            let secret = read_secret(secrets, &arn).await?;
            Ok(Keys::Secret(SigningSecret::new(secret).map_err(short(JWT_SECRET_ARN))?))
        }
        (None, None, Some(url)) => {
            let invalid = |_| InvalidVariable { variable: JWT_JWKS_URL, problem: "is not such a URL" };
            Ok(Keys::Jwks(JwksCache::new(&url).map_err(invalid)?))
        }
        (None, None, None) => {
            let problem = "is not set, nor JWT_JWKS_URL nor JWT_SECRET, and AUTH_ENABLED is true";
            Err(InvalidVariable { variable: JWT_SECRET_ARN, problem }.into())
        }
        _ => {
            let problem = "is not the only one set of JWT_SECRET, JWT_SECRET_ARN and JWT_JWKS_URL: set one of them";
            Err(InvalidVariable { variable: JWT_SECRET_ARN, problem }.into())
        }
    }
}

/// Reads a secret from Secrets Manager, be it text or bytes; empty if it has no value.
///
/// # Errors
/// [`UnreadableSecret`], which does not hold the secret.
pub async fn read_secret(config: &SdkConfig, arn: &str) -> Result<Vec<u8>, UnreadableSecret> {
    let client = aws_sdk_secretsmanager::Client::new(config);
    let output = client.get_secret_value().secret_id(arn).send().await.map_err(|error| {
        UnreadableSecret(match (error.code(), error.message()) {
            (Some(code), Some(message)) => format!("{code}: {message}"),
            (Some(code), None) => code.to_owned(),
            _ => "Secrets Manager could not be reached".to_owned(),
        })
    })?;
    let binary = output.secret_binary().map(|blob| blob.as_ref().to_vec());
    Ok(output.secret_string().map(|text| text.as_bytes().to_vec()).or(binary).unwrap_or_default())
}

/// The claims that say what somebody may do, as `JWT_TENANT_CLAIMS` and `JWT_ROLE_CLAIM` name them.
pub fn claim_paths(environment: &Environment) -> ClaimPaths {
    let default = ClaimPaths::default();
    let list = environment.optional(JWT_TENANT_CLAIMS).unwrap_or_default();
    let named: Vec<_> = list.split(',').map(str::trim).filter(|path| !path.is_empty()).map(ClaimPath::new).collect();
    ClaimPaths {
        tenant: if named.is_empty() { default.tenant } else { named },
        role: environment.optional(JWT_ROLE_CLAIM).map_or(default.role, ClaimPath::new),
    }
}
