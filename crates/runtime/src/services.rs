use std::sync::Arc;

use aws_config::SdkConfig;
use aws_sdk_secretsmanager::Client;
use entity_stream_auth::{ApiKeys, Authenticator, RotatingSecret, TokenKeys, Verifier};
use entity_stream_clock::Clock;
use entity_stream_connections::Table;
use entity_stream_delivery::{Endpoint, ManagementApi};
use entity_stream_history::{HistoryTable, StateTable};

use crate::config::{AccessConfig, EntityStateConfig, HistoryConfig, KeySource, TokenConfig};
use crate::secret::{SecretError, read_signing_secrets};

/// The AWS configuration for each service that the functions call.
///
/// On AWS, all are the same. The local system and tests put some services behind other endpoints. Every composition root
/// passes this type to the constructors of the functions, which create their clients from it.
#[derive(Clone, Debug)]
pub struct AwsServices {
    /// DynamoDB.
    pub dynamodb: SdkConfig,
    /// Secrets Manager, which the functions call at their start and every few minutes if `JWT_SECRET_ARN` is set.
    pub secrets_manager: SdkConfig,
    /// The `@connections` API, for region and credentials. The endpoint is in the configuration of the function.
    pub connections_api: SdkConfig,
    /// EventBridge.
    pub event_bridge: SdkConfig,
    /// SQS.
    pub sqs: SdkConfig,
}

impl AwsServices {
    /// Uses one configuration for all services.
    pub fn all(config: SdkConfig) -> Self {
        Self {
            dynamodb: config.clone(),
            secrets_manager: config.clone(),
            connections_api: config.clone(),
            event_bridge: config.clone(),
            sqs: config,
        }
    }

    /// Creates a client of the table of connections.
    pub fn connections(&self, table: String) -> Table {
        Table::new(aws_sdk_dynamodb::Client::new(&self.dynamodb), table)
    }

    /// Creates a client of the table of the history.
    pub fn history(&self, config: HistoryConfig) -> HistoryTable {
        HistoryTable::new(aws_sdk_dynamodb::Client::new(&self.dynamodb), config.table, config.retention)
    }

    /// Creates a client of the states of entities.
    pub fn entity_states(&self, config: EntityStateConfig) -> StateTable {
        let client = aws_sdk_dynamodb::Client::new(&self.dynamodb);
        StateTable::new(client, config.table, config.retention, config.history)
    }

    /// Creates a client of the `@connections` API.
    pub fn management_api(&self, endpoint: Endpoint) -> ManagementApi {
        ManagementApi::new(&self.connections_api, endpoint)
    }

    /// Creates the verifier of tokens and API keys.
    ///
    /// # Errors
    /// [`SecretError`] if the secret of `JWT_SECRET_ARN` cannot be used.
    pub async fn authenticator(&self, config: AccessConfig) -> Result<Authenticator, SecretError> {
        let api_keys = ApiKeys::new(aws_sdk_dynamodb::Client::new(&self.dynamodb), config.api_keys_table);
        Ok(Authenticator::new(self.verifier(config.tokens).await?, api_keys))
    }

    /// Creates the verifier of tokens.
    ///
    /// # Errors
    /// [`SecretError`] if the secret of `JWT_SECRET_ARN` cannot be used.
    pub async fn verifier(&self, config: TokenConfig) -> Result<Verifier, SecretError> {
        let keys = match config.keys {
            KeySource::Secret(secret) => TokenKeys::Secret(secret),
            KeySource::Jwks(cache) => TokenKeys::Jwks(cache),
            KeySource::SecretArn(arn) => TokenKeys::Rotating(self.rotating_secret(arn).await?),
        };
        Ok(Verifier::new(keys, config.claims).with_issuer(config.issuer).with_audiences(config.audiences))
    }

    /// Reads the secret of `JWT_SECRET_ARN`, which is read again while the function runs.
    async fn rotating_secret(&self, arn: String) -> Result<RotatingSecret, SecretError> {
        let client = Client::new(&self.secrets_manager);
        let secrets = read_signing_secrets(&client, &arn).await?;
        let arn: Arc<str> = arn.into();
        let read = move || {
            let (client, arn) = (client.clone(), Arc::clone(&arn));
            Box::pin(async move { read_signing_secrets(&client, &arn).await.map_err(|error| error.to_string()) }) as _
        };
        Ok(RotatingSecret::new(secrets, Clock::system().now(), read))
    }
}
