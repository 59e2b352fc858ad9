use aws_config::SdkConfig;
use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::error::ProvideErrorMetadata;
use entity_stream_auth::{SigningSecret, SigningSecrets};

/// The label of the version before the current one. A secret that was never changed has none.
const PREVIOUS: &str = "AWSPREVIOUS";
/// The error code for a version that does not exist.
const NOT_FOUND: &str = "ResourceNotFoundException";

/// Secrets Manager did not return a secret. The text holds the error code and the message of the service, or the reason why
/// there was no answer. It does not hold the secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UnreadableSecret(String);

/// The secret of `JWT_SECRET_ARN` cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// Secrets Manager did not return the secret.
    #[error("the secret of JWT_SECRET_ARN cannot be read: {0}")]
    Unreadable(#[from] UnreadableSecret),
    /// The secret is too short to sign tokens.
    #[error("the secret of JWT_SECRET_ARN is too short: expected at least {} bytes", entity_stream_auth::SECRET_BYTES)]
    TooShort,
}

/// Reads a secret, text or bytes, from Secrets Manager. A secret without a value is empty.
///
/// # Errors
/// [`UnreadableSecret`], which does not hold the secret.
pub async fn read_secret(config: &SdkConfig, arn: &str) -> Result<Vec<u8>, UnreadableSecret> {
    read_version(&Client::new(config), arn, None).await.map_err(|failed| failed.reason)
}

/// Reads the current version of a secret and the one before it.
pub(crate) async fn read_signing_secrets(client: &Client, arn: &str) -> Result<SigningSecrets, SecretError> {
    let (current, previous) = tokio::join!(read_version(client, arn, None), read_version(client, arn, Some(PREVIOUS)));
    let current = current.map_err(|failed| failed.reason)?;
    let previous = match previous {
        Ok(previous) => Some(previous),
        Err(failed) if failed.is_absent => None,
        Err(failed) => return Err(failed.reason.into()),
    };
    Ok(SigningSecrets {
        current: SigningSecret::new(current).map_err(|_| SecretError::TooShort)?,
        // A previous version that is too short has signed no tokens.
        previous: previous.and_then(|previous| SigningSecret::new(previous).ok()),
    })
}

/// A version of a secret that was not read.
struct FailedRead {
    reason: UnreadableSecret,
    /// True if there is no such version.
    is_absent: bool,
}

async fn read_version(client: &Client, arn: &str, stage: Option<&str>) -> Result<Vec<u8>, FailedRead> {
    let request = client.get_secret_value().secret_id(arn).set_version_stage(stage.map(str::to_owned));
    let output = request.send().await.map_err(|error| FailedRead {
        is_absent: error.code() == Some(NOT_FOUND),
        reason: UnreadableSecret(match (error.code(), error.message()) {
            (Some(code), Some(message)) => format!("{code}: {message}"),
            (Some(code), None) => code.to_owned(),
            _ => "Secrets Manager did not answer".to_owned(),
        }),
    })?;
    let binary = output.secret_binary().map(|blob| blob.as_ref().to_vec());
    Ok(output.secret_string().map(|text| text.as_bytes().to_vec()).or(binary).unwrap_or_default())
}
