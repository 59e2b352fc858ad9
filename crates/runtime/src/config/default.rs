use entity_stream_delivery::Endpoint;
use entity_stream_protocol::Acknowledgement;

use super::entity_state::EntityStateConfig;
use super::fault::InvalidConfig;
use super::history::HistoryConfig;
use super::reader::Reader;
use super::resources;
use super::tokens::TokenConfig;
use crate::environment::{AUTH_ENABLED, Environment, SUBSCRIBE_ACK, WS_API_ENDPOINT, WS_CONNECTIONS_TABLE};

/// The configuration of the `$default` function.
#[derive(Clone, Debug)]
pub struct DefaultConfig {
    /// The rules for the tokens in messages; `None` accepts no tokens.
    pub tokens: Option<TokenConfig>,
    /// Which messages are answered if a connection's URL does not say it.
    pub acknowledgement: Acknowledgement,
    /// The most connections of one subject to one tenant.
    pub most_connections: usize,
    /// The name or ARN of the table of connections.
    pub connections_table: String,
    /// The history of events; `None` if it is off.
    pub history: Option<HistoryConfig>,
    /// The state of entities; `None` if it is off.
    pub entity_state: Option<EntityStateConfig>,
    /// The `@connections` API, which carries the answers.
    pub endpoint: Endpoint,
}

impl DefaultConfig {
    /// Reads the configuration.
    ///
    /// # Errors
    /// [`InvalidConfig`] lists every variable that is missing or malformed.
    pub fn read(environment: &Environment) -> Result<Self, InvalidConfig> {
        let mut reader = Reader::new(environment);
        let connections_table = reader.required(WS_CONNECTIONS_TABLE, resources::table);
        let history = HistoryConfig::read_with(&mut reader);
        let entity_state = EntityStateConfig::read_with(&mut reader, history.as_ref().ok().and_then(Option::as_ref));
        let endpoint = reader.required(WS_API_ENDPOINT, |url| Endpoint::parse(&url).ok());
        let enabled = reader.flag(AUTH_ENABLED);
        let tokens = TokenConfig::read_with(&mut reader, enabled);
        let acknowledgement = reader.optional(SUBSCRIBE_ACK, |text| Acknowledgement::parse(&text).ok());
        let most_connections = reader.most_connections();
        reader.finish(|| {
            Ok(Self {
                tokens: tokens?,
                acknowledgement: acknowledgement?.unwrap_or_default(),
                most_connections: most_connections?,
                connections_table: connections_table?,
                history: history?,
                entity_state: entity_state?,
                endpoint: endpoint?,
            })
        })
    }
}
