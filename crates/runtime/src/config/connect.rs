use std::collections::BTreeSet;

use entity_stream_auth::AllowedOrigins;
use entity_stream_protocol::Tenant;

use super::fault::{ConfigFault, InvalidConfig};
use super::reader::Reader;
use super::resources;
use super::tokens::TokenConfig;
use crate::environment::{
    ALLOWED_ORIGINS, AUTH_ENABLED, AUTH_IN_BAND, AUTH_QUERY_TOKEN, ENTITY_STATE, Environment, PUBLIC_TENANTS,
    WS_API_KEYS_TABLE, WS_CONNECTIONS_TABLE, WS_HISTORY_TABLE,
};

/// The configuration of the `$connect` function.
#[derive(Clone, Debug)]
pub struct ConnectConfig {
    /// Accepts connections at all.
    pub streaming_enabled: bool,
    /// The service keeps the state of each entity, so a connection may ask for whole entities.
    pub keeps_states: bool,
    /// The credentials that connections need; `None` accepts every client.
    pub access: Option<AccessConfig>,
    /// Lets clients connect without a credential and authenticate with their first message.
    pub in_band: bool,
    /// Lets clients send their token in the URL.
    pub query_token: bool,
    /// The tenants to which clients may listen without a credential.
    pub public_tenants: BTreeSet<Tenant>,
    /// The origins whose pages may connect; `None` accepts every page.
    pub origins: Option<AllowedOrigins>,
    /// The most connections of one subject, or of one address without a credential, to one tenant.
    pub most_connections: usize,
    /// The name or ARN of the table of connections.
    pub connections_table: String,
}

/// The credentials that the functions for handshakes and for notifications accept.
#[derive(Clone, Debug)]
pub struct AccessConfig {
    /// The rules for tokens.
    pub tokens: TokenConfig,
    /// The name or ARN of the table of API keys.
    pub api_keys_table: String,
}

impl ConnectConfig {
    /// Reads the configuration.
    ///
    /// # Errors
    /// [`InvalidConfig`] lists every variable that is missing or malformed.
    pub fn read(environment: &Environment) -> Result<Self, InvalidConfig> {
        let mut reader = Reader::new(environment);
        let streaming_enabled = reader.streaming_enabled();
        let connections_table = reader.required(WS_CONNECTIONS_TABLE, resources::table);
        let keeps_states = reader.optional(ENTITY_STATE, |text| text.parse::<bool>().ok());
        let has_table = reader.text(WS_HISTORY_TABLE).is_some();
        let access = AccessConfig::read_with(&mut reader);
        let in_band = reader.optional_flag(AUTH_IN_BAND);
        let query_token = reader.optional(AUTH_QUERY_TOKEN, |text| text.parse::<bool>().ok());
        let public_tenants = reader.optional(PUBLIC_TENANTS, |list| {
            list.split(',').map(|name| Tenant::parse(name.trim()).ok()).collect::<Option<BTreeSet<_>>>()
        });
        let origins = reader.optional(ALLOWED_ORIGINS, |list| AllowedOrigins::parse(&list).ok());
        let most_connections = reader.most_connections();
        reader.finish(|| {
            Ok(Self {
                streaming_enabled,
                keeps_states: keeps_states?.unwrap_or(has_table),
                access: access?,
                in_band: in_band?,
                query_token: query_token?.unwrap_or(true),
                public_tenants: public_tenants?.unwrap_or_default(),
                origins: origins?,
                most_connections: most_connections?,
                connections_table: connections_table?,
            })
        })
    }
}

impl AccessConfig {
    pub(super) fn read_with(reader: &mut Reader<'_>) -> Result<Option<Self>, ConfigFault> {
        let enabled = reader.flag(AUTH_ENABLED);
        let tokens = TokenConfig::read_with(reader, enabled.clone());
        let api_keys_table = match enabled {
            Ok(true) => reader.required(WS_API_KEYS_TABLE, resources::table).map(Some),
            Ok(false) => Ok(None),
            // Perhaps the deployment needs no credentials. Only a malformed name is a further fault.
            Err(_) => reader.optional(WS_API_KEYS_TABLE, resources::table),
        };
        Ok(tokens?.zip(api_keys_table?).map(|(tokens, api_keys_table)| Self { tokens, api_keys_table }))
    }
}
