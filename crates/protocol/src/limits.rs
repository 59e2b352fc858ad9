//! The numbers of the wire contract.

use std::time::Duration;

/// The longest tenant name, in characters. All of them are ASCII.
pub const TENANT_LENGTH: usize = 63;
/// The most entity types of one filter.
pub const FILTER_TYPES: usize = 49;
/// The most entity ids of one filter.
pub const FILTER_IDS: usize = 49;
/// The longest entity id in a filter, in characters.
pub const FILTER_ID_LENGTH: usize = 512;
/// The most ids that an `idPattern` may spell out to be looked up by them.
pub const PATTERN_IDS: usize = 16;
/// The most attributes that one filter watches.
pub const WATCHED_ATTRIBUTES: usize = 49;
/// The most text of one subscription, in bytes: all of its filter and view but its entity ids, each entry of a list once.
pub const FILTER_TEXT_BYTES: usize = 1024;
/// The longest name of a subscription, in characters. All of them are ASCII.
pub const SUBSCRIPTION_NAME_LENGTH: usize = 64;
/// The most subscriptions of one connection: 16 with a name, and the default subscription.
pub const SUBSCRIPTIONS: usize = 17;
/// The most distinct scopes of all subscriptions of one connection: the types, the ids and "everything" by which they are looked
/// up. A change from as many scopes to as many others is one transaction of DynamoDB, which takes 100 items.
pub const SCOPES: usize = 49;
/// The most that all interest items of one connection take in the table, in bytes. Each of them repeats the pattern.
pub const INTEREST_BYTES: usize = 32 * 1024;
/// The longest entity type, in characters.
pub const ENTITY_TYPE_LENGTH: usize = 256;
/// The most types of one entity. An event reads a partition of the table for each type.
pub const ENTITY_TYPES: usize = 50;
/// The longest id of an event, in bytes. EventBridge's ids have 36.
pub const EVENT_ID_BYTES: usize = 256;
/// The longest `servicePath`, in characters. NGSI brokers allow 10 levels of 50.
pub const SERVICE_PATH_LENGTH: usize = 1024;
/// The longest `@context` of an event, in bytes of its JSON. A truncated message still carries it.
pub const CONTEXT_BYTES: usize = 8 * 1024;
/// The longest `timestamp`, in characters.
pub const TIMESTAMP_LENGTH: usize = 64;
/// The longest entity id, in characters. NGSI brokers allow 256; URIs can be longer.
pub const ENTITY_ID_LENGTH: usize = 2048;
/// The longest `idPattern`, in characters.
pub const ID_PATTERN_LENGTH: usize = 512;
/// The largest compiled `idPattern`, in bytes. It limits the memory and the compile time that one client can cost.
pub const COMPILED_PATTERN_BYTES: usize = 256 * 1024;
/// The most characters in all classes of an `idPattern` to which `(?i)` applies: the number of Unicode's characters. It
/// limits the compile time that one client can cost where [`COMPILED_PATTERN_BYTES`] does not.
pub const FOLDED_CHARACTERS: u64 = 0x11_0000;
/// The most steps that one byte of an id may cost to match an `idPattern`. An id of 256 characters then takes at most a
/// millisecond (`BENCHMARKS.md`).
pub const MATCH_COST: usize = 400;
/// The longest position in the history, in characters. All of them are ASCII.
pub const POSITION_LENGTH: usize = 64;
/// The largest `events` frame, in bytes. API Gateway bills a message for each 32 KB.
pub const EVENTS_FRAME_BYTES: usize = 32 * 1024;
/// The most events that one `since` replays to a client that takes `events` frames.
pub const REPLAYED_EVENTS: usize = 1_000;
/// The most events that one `since` replays to any other client, which gets a frame for each.
pub const REPLAYED_FRAMES: usize = 300;
/// The most of the history that one `since` reads, in bytes.
pub const HISTORY_BYTES: usize = 16 * 1024 * 1024;
/// The time from the opening of a connection with a token that is bound to a key to its proof.
pub const PROOF_TIME: Duration = Duration::from_secs(5);
/// The most that the time of a proof may differ from the server's.
pub const PROOF_AGE: Duration = Duration::from_secs(60);
/// The largest proof, in bytes.
pub const PROOF_BYTES: usize = 8 * 1024;
/// The longest `jti` of a proof, in bytes.
pub const PROOF_ID_BYTES: usize = 256;
/// The shortest time between two `since` of one connection.
pub const RESUME_INTERVAL: Duration = Duration::from_secs(10);
/// The longest token of a snapshot, in characters. All of them are ASCII.
pub const SNAPSHOT_TOKEN_LENGTH: usize = 4096;
/// The most entities in one part of a snapshot.
pub const SNAPSHOT_ENTITIES: usize = 5_000;
/// The most messages in one part of a snapshot, in bytes.
pub const SNAPSHOT_BYTES: usize = 8 * 1024 * 1024;
/// The longest `requestId`, in characters.
pub const REQUEST_ID_LENGTH: usize = 128;
/// The longest `group_id`, in characters. All of them are ASCII.
pub const GROUP_ID_LENGTH: usize = 128;
/// The largest message that API Gateway carries in either direction, in bytes.
/// Source: "Quotas for configuring and running a WebSocket API", Amazon API Gateway Developer Guide.
pub const MESSAGE_BYTES: usize = 128 * 1024;
/// The largest WebSocket frame that API Gateway receives or sends, in bytes. Same source.
pub const FRAME_BYTES: usize = 32 * 1024;
/// The longest life of a connection: API Gateway's own limit, and the life of the connection's record.
pub const CONNECTION_LIFETIME: Duration = Duration::from_secs(2 * 60 * 60);
/// The silence in both directions after which API Gateway closes a connection.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(10 * 60);
/// The age up to which `@connections` may answer 410 for an open connection, because its `$connect` has not returned yet.
/// A 410 does not make the functions forget a younger connection.
pub const YOUNG_CONNECTION: Duration = Duration::from_secs(30);
/// The longest reason of a close frame, in bytes: RFC 6455, section 5.5 allows 125, of which the code takes two.
pub const CLOSE_REASON_BYTES: usize = 123;
/// The longest `q` of a subscription, in bytes.
pub const QUERY_BYTES: usize = 1024;
/// The most terms of one `q`: comparisons and tests of existence.
pub const QUERY_TERMS: usize = 32;
/// The deepest nesting of parentheses in one `q`.
pub const QUERY_DEPTH: usize = 8;
/// The most text that a regular expression of a `q` reads in one event, in bytes. All regular expressions of a `q` together cost
/// at most [`MATCH_COST`] steps for each byte, as an `idPattern` does. So a `q` takes at most as long as an `idPattern` with an
/// id of 1,024 bytes. Names, codes, addresses and URLs are shorter.
pub const QUERY_REGEX_BYTES: usize = 1024;
/// The most values that one term of a `q` visits in one event: instances of an attribute, and elements of an array or members of
/// an object. An attribute with more does not match. It keeps the time of the largest query below a millisecond.
pub const QUERY_VALUES: usize = 1_000;
/// The longest `geoQ` of a subscription, in bytes of JSON without white space.
pub const GEO_QUERY_BYTES: usize = 1024;
/// The longest distance of a `near` geo-query, in metres. No two places on Earth are farther apart than 20,016 km.
pub const GEO_DISTANCE: f64 = 1e9;
/// The most positions of all geometries of one attribute. An attribute with more matches no geo-query. The outline of a
/// district or a park has up to a few hundred.
pub const GEOMETRY_POSITIONS: usize = 1_000;
/// The most lines or rings of a geometry that a geo-query compares by `within`, `contains`, `overlaps` or `equals`. The check
/// of an area compares each pair of its rings.
pub const GEOMETRY_PARTS: usize = 100;
/// The most pairs of segments of such a geometry whose bounding boxes meet. Each comparison tests all these pairs. A chain of
/// short segments has about two for each segment; 1,000 long slanting ones have half a million.
pub const SEGMENT_PAIRS: usize = 10_000;
/// The most points where lines of such a geometry cross each other. Each costs as much as a position.
pub const LINE_CROSSINGS: usize = 100;
/// The most names in the `attributes` of a view.
pub const VIEW_ATTRIBUTES: usize = 49;
/// The longest name of an attribute, in characters. NGSI brokers allow 256.
pub const ATTRIBUTE_NAME_LENGTH: usize = 256;
