use aws_config::SdkConfig;
use aws_sdk_secretsmanager::error::ProvideErrorMetadata;

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
    let client = aws_sdk_secretsmanager::Client::new(config);
    let output = client.get_secret_value().secret_id(arn).send().await.map_err(|error| {
        UnreadableSecret(match (error.code(), error.message()) {
            (Some(code), Some(message)) => format!("{code}: {message}"),
            (Some(code), None) => code.to_owned(),
            _ => "Secrets Manager did not answer".to_owned(),
        })
    })?;
    let binary = output.secret_binary().map(|blob| blob.as_ref().to_vec());
    Ok(output.secret_string().map(|text| text.as_bytes().to_vec()).or(binary).unwrap_or_default())
}
