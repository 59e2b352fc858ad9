//! The numbers of the wire contract, each said once.

use std::time::Duration;

/// Longest tenant name, in characters (all of them ASCII).
pub const TENANT_LENGTH: usize = 63;
/// Most entity types in one filter.
pub const FILTER_TYPES: usize = 50;
/// Longest entity type, in characters.
pub const ENTITY_TYPE_LENGTH: usize = 256;
/// Most types that one entity may have. An event reads a partition of the table for each.
pub const ENTITY_TYPES: usize = 50;
/// Longest id of an event, in bytes. EventBridge's have 36.
pub const EVENT_ID_BYTES: usize = 256;
/// Longest `servicePath`, in characters. NGSI brokers allow 10 levels of 50.
pub const SERVICE_PATH_LENGTH: usize = 1024;
/// Longest `timestamp`, in characters.
pub const TIMESTAMP_LENGTH: usize = 64;
/// Longest entity id, in characters. NGSI brokers allow 256; URIs in the field run longer.
pub const ENTITY_ID_LENGTH: usize = 2048;
/// Longest `idPattern`, in characters.
pub const ID_PATTERN_LENGTH: usize = 512;
/// Largest compiled `idPattern`, in bytes: what bounds the memory and the compile time that one client can cost.
pub const COMPILED_PATTERN_BYTES: usize = 256 * 1024;
/// Most characters that `(?i)` may apply to in an `idPattern`, all its classes together: as many as Unicode has. It bounds
/// the compile time that one client can cost where [`COMPILED_PATTERN_BYTES`] does not.
pub const FOLDED_CHARACTERS: u64 = 0x11_0000;
/// Longest `requestId`, in characters.
pub const REQUEST_ID_LENGTH: usize = 128;
/// Longest `group_id`, in characters (all of them ASCII).
pub const GROUP_ID_LENGTH: usize = 128;
/// Largest message that API Gateway carries either way, in bytes.
/// Source: "Quotas for configuring and running a WebSocket API", Amazon API Gateway Developer Guide.
pub const MESSAGE_BYTES: usize = 128 * 1024;
/// Largest WebSocket frame that API Gateway accepts or sends, in bytes. Same source.
pub const FRAME_BYTES: usize = 32 * 1024;
/// How long a connection may live: API Gateway's own maximum, and the life of its record.
pub const CONNECTION_LIFETIME: Duration = Duration::from_secs(2 * 60 * 60);
/// How long a connection may be silent in both directions before API Gateway closes it.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(10 * 60);
/// How long `@connections` may go on answering 410 for a connection that is fine: until `$connect` has returned.
/// A connection younger than this is never forgotten on a 410.
pub const YOUNG_CONNECTION: Duration = Duration::from_secs(30);
/// Longest reason of a close frame, in bytes: RFC 6455, section 5.5 allows 125, of which the code takes two.
pub const CLOSE_REASON_BYTES: usize = 123;
