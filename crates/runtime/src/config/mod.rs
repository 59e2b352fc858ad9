//! One configuration for each function, read from the environment before the function starts.
//!
//! Invariants:
//! - Each `read` reports all faults of its variables at once.
//! - A configuration holds only valid values.
//! - No fault repeats the value of a variable, because the value may be a secret in the wrong place.

mod broadcast;
mod connect;
mod default;
mod disconnect;
mod entity_state;
mod fault;
mod history;
mod ingest;
mod reader;
mod resources;
mod tokens;

#[cfg(test)]
mod tests;

pub use broadcast::BroadcastConfig;
pub use connect::{AccessConfig, ConnectConfig};
pub use default::DefaultConfig;
pub use disconnect::DisconnectConfig;
pub use entity_state::EntityStateConfig;
pub use fault::{ConfigFault, InvalidConfig};
pub use history::HistoryConfig;
pub use ingest::IngestConfig;
pub use tokens::{KeySource, TokenConfig, audiences, claim_paths};
