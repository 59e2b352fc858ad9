use super::fault::InvalidConfig;
use super::reader::Reader;
use super::resources;
use crate::environment::{Environment, WS_CONNECTIONS_TABLE};

/// The configuration of the `$disconnect` function.
#[derive(Clone, Debug)]
pub struct DisconnectConfig {
    /// The name or ARN of the table of connections.
    pub connections_table: String,
}

impl DisconnectConfig {
    /// Reads the configuration.
    ///
    /// # Errors
    /// [`InvalidConfig`] lists every variable that is missing or malformed.
    pub fn read(environment: &Environment) -> Result<Self, InvalidConfig> {
        let mut reader = Reader::new(environment);
        let connections_table = reader.required(WS_CONNECTIONS_TABLE, resources::table);
        reader.finish(|| Ok(Self { connections_table: connections_table? }))
    }
}
