//! The local counterpart of the deployment: the region, the credentials and the environment of the functions.

use std::net::SocketAddr;

use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region, SharedCredentialsProvider};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use entity_stream_auth::ApiKeys;
use entity_stream_connections::Table;
use entity_stream_runtime::Environment;
use entity_stream_runtime::environment::{
    AUTH_ENABLED, DEAD_LETTER_QUEUE_URL, EVENT_BUS_NAME, EVENT_STREAMING_ENABLED, INGEST_ENABLED, WS_API_ENDPOINT,
    WS_API_KEYS_TABLE, WS_CONNECTIONS_TABLE, WS_HISTORY_TABLE,
};

use crate::config::Config;

/// The region that everything local is in.
pub const REGION: &str = "us-east-1";
/// The name of the table of connections.
pub const CONNECTIONS_TABLE: &str = "entity-stream-connections";
/// The name of the table of API keys.
pub const API_KEYS_TABLE: &str = "entity-stream-api-keys";
/// The name of the table of the history.
pub const HISTORY_TABLE: &str = "entity-stream-history";
/// The name of the event bus.
pub(crate) const EVENT_BUS: &str = "default";
/// The path of the dead-letter queue, as SQS has it: account and name.
pub const DEAD_LETTER_QUEUE_PATH: &str = "000000000000/entity-stream-dead-letters";

/// The AWS configuration for a local endpoint: nothing is read from the machine's own AWS settings, so that nothing local
/// ever reaches a real account.
pub fn aws_config(endpoint: &str) -> aws_config::SdkConfig {
    let credentials = Credentials::new("local", "local", None, None, "entity-stream local");
    aws_config::SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(REGION))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .endpoint_url(endpoint)
        .build()
}

/// The same for an endpoint in this process, which requests reach by this client.
pub(crate) fn aws_config_with(endpoint: &str, client: SharedHttpClient) -> aws_config::SdkConfig {
    aws_config(endpoint).into_builder().http_client(client).build()
}

pub(crate) fn table(dynamodb_url: &str) -> Table {
    Table::new(aws_sdk_dynamodb::Client::new(&aws_config(dynamodb_url)), CONNECTIONS_TABLE)
}

pub(crate) fn api_keys(dynamodb_url: &str) -> ApiKeys {
    ApiKeys::new(aws_sdk_dynamodb::Client::new(&aws_config(dynamodb_url)), API_KEYS_TABLE)
}

/// The environment of the functions, as the template sets it on AWS.
pub(crate) fn environment(config: &Config, address: SocketAddr) -> Environment {
    let values = [
        (EVENT_STREAMING_ENABLED, config.event_streaming_enabled.to_string()),
        (AUTH_ENABLED, config.auth_enabled.to_string()),
        (WS_CONNECTIONS_TABLE, CONNECTIONS_TABLE.to_owned()),
        (WS_API_KEYS_TABLE, API_KEYS_TABLE.to_owned()),
        (WS_HISTORY_TABLE, HISTORY_TABLE.to_owned()),
        (WS_API_ENDPOINT, format!("http://{address}/{}", config.stage)),
        (DEAD_LETTER_QUEUE_URL, format!("http://{address}/{DEAD_LETTER_QUEUE_PATH}")),
        (EVENT_BUS_NAME, EVENT_BUS.to_owned()),
    ];
    let others = config.environment.clone();
    Environment::new(move |name| {
        let fixed = values.iter().find(|(variable, _)| variable.name == name);
        let value = fixed.map(|(_, value)| value.clone()).or_else(|| others.lookup(name));
        // Other than on AWS, a page of another origin or another machine cannot reach it unless the user says so.
        value.or_else(|| (name == INGEST_ENABLED.name).then(|| "true".to_owned()))
    })
}
