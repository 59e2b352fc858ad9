use entity_stream_delivery::Endpoint;

use super::entity_state::EntityStateConfig;
use super::fault::InvalidConfig;
use super::history::HistoryConfig;
use super::reader::Reader;
use super::resources;
use crate::environment::{
    BROADCAST_CONCURRENCY, BROADCAST_SPLIT_AT, DEAD_LETTER_QUEUE_URL, EVENT_BUS_NAME, Environment, WS_API_ENDPOINT,
    WS_CONNECTIONS_TABLE,
};

/// The default of `BROADCAST_CONCURRENCY`.
const DEFAULT_CONCURRENCY: usize = 64;
/// The largest `BROADCAST_CONCURRENCY`.
const MOST_CONCURRENCY: usize = 10_000;
/// The default of `BROADCAST_SPLIT_AT`: less than a second's work.
const DEFAULT_SPLIT_AT: usize = 5_000;
/// The largest `BROADCAST_SPLIT_AT`.
const MOST_SPLIT_AT: usize = 1_000_000;

/// The configuration of the broadcast function.
#[derive(Clone, Debug)]
pub struct BroadcastConfig {
    /// Delivers events at all.
    pub streaming_enabled: bool,
    /// The number of messages that a broadcast sends at the same time.
    pub concurrency: usize,
    /// The number of connections that one invocation serves.
    pub split_at: usize,
    /// The name or ARN of the table of connections.
    pub connections_table: String,
    /// The history of events; `None` if it is off.
    pub history: Option<HistoryConfig>,
    /// The state of entities; `None` if it is off.
    pub entity_state: Option<EntityStateConfig>,
    /// The `@connections` API.
    pub endpoint: Endpoint,
    /// The name or ARN of the bus for continuation events. Without a bus, an event that one invocation cannot finish fails,
    /// and Lambda repeats all of it.
    pub event_bus: Option<String>,
    /// The URL of the queue for events that cannot be delivered. Without a queue, the function only logs them.
    pub dead_letter_queue: Option<String>,
}

impl BroadcastConfig {
    /// Reads the configuration.
    ///
    /// # Errors
    /// [`InvalidConfig`] lists every variable that is missing or malformed.
    pub fn read(environment: &Environment) -> Result<Self, InvalidConfig> {
        let mut reader = Reader::new(environment);
        let streaming_enabled = reader.streaming_enabled();
        let connections_table = reader.required(WS_CONNECTIONS_TABLE, resources::table);
        let history = HistoryConfig::read_with(&mut reader);
        let entity_state = EntityStateConfig::read_with(&mut reader, history.as_ref().ok().and_then(Option::as_ref));
        let endpoint = reader.required(WS_API_ENDPOINT, |url| Endpoint::parse(&url).ok());
        let concurrency = reader.number(BROADCAST_CONCURRENCY, MOST_CONCURRENCY, DEFAULT_CONCURRENCY);
        let split_at = reader.number(BROADCAST_SPLIT_AT, MOST_SPLIT_AT, DEFAULT_SPLIT_AT);
        let event_bus = reader.optional(EVENT_BUS_NAME, resources::event_bus);
        let dead_letter_queue = reader.optional(DEAD_LETTER_QUEUE_URL, resources::queue);
        reader.finish(|| {
            Ok(Self {
                streaming_enabled,
                concurrency: concurrency?,
                split_at: split_at?,
                connections_table: connections_table?,
                history: history?,
                entity_state: entity_state?,
                endpoint: endpoint?,
                event_bus: event_bus?,
                dead_letter_queue: dead_letter_queue?,
            })
        })
    }
}
