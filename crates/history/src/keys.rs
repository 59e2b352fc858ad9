//! The keys of the history. No other module spells a key.
//!
//! The events of a tenant are in partitions by time and by entity. DynamoDB writes at most 1,000 units a second to a partition,
//! so a tenant can write [`SHARDS`] times as many. A resume reads the partitions of its span only.

use std::collections::HashMap;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use aws_sdk_dynamodb::types::AttributeValue;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use entity_stream_protocol::{EpochMillis, Position, Tenant};

use xxhash_rust::xxh3::xxh3_64;

/// An item in the form of the SDK.
pub(crate) type HistoryItem = HashMap<String, AttributeValue>;

/// The partition key, a string.
pub const PARTITION_KEY: &str = "pk";
/// The sort key, a string.
pub const SORT_KEY: &str = "sk";
/// The TTL attribute, in seconds since the epoch.
pub const TTL_ATTRIBUTE: &str = "expiresAt";

/// The partitions of one time span. A tenant can write this many times 1,000 units a second.
pub(crate) const SHARDS: u64 = 4;
/// The time of one partition. A shorter time would make a resume read more partitions.
const SPAN: Duration = Duration::from_secs(10 * 60);

/// The number of a time span.
pub(crate) fn span(at: EpochMillis) -> u64 {
    at.seconds() / SPAN.as_secs()
}

/// The partition of a shard in a span. A tenant contains no `#`.
pub(crate) fn partition(tenant: &Tenant, span: u64, shard: u64) -> String {
    format!("H#{tenant}#{span}#{shard}")
}

/// The shard of an entity.
pub(crate) fn shard(entity_id: &str) -> u64 {
    xxh3_64(entity_id.as_bytes()) % SHARDS
}

pub(crate) fn event_key(tenant: &Tenant, entity_id: &str, position: &Position, at: EpochMillis) -> HistoryItem {
    key(partition(tenant, span(at), shard(entity_id)), position.as_str())
}

/// The key of the item that says since when the history is written.
pub(crate) fn epoch_key() -> HistoryItem {
    key("E".to_owned(), "E")
}

/// The state of an entity, whose id and service path are given by their hashes.
pub(crate) fn state_key(tenant: &Tenant, entity: &str, service_path: &str) -> HistoryItem {
    key(state_partition(tenant, entity), service_path)
}

pub(crate) fn state_partition(tenant: &Tenant, entity: &str) -> String {
    format!("S#{tenant}#{entity}")
}

/// An entry in the index of a type, or of all types.
pub(crate) fn index_key(tenant: &Tenant, entity_type: Option<&str>, sort_key: &str) -> HistoryItem {
    key(index_partition(tenant, entity_type), sort_key)
}

/// The index of a type, or of all types. The letter before a type keeps a type `*` apart.
pub(crate) fn index_partition(tenant: &Tenant, entity_type: Option<&str>) -> String {
    match entity_type {
        Some(entity_type) => format!("X#{tenant}#T{entity_type}"),
        None => format!("X#{tenant}#*"),
    }
}

/// True for an item with the state of an entity, or of its index.
pub(crate) fn is_of_state(item: &HistoryItem) -> bool {
    get_string(item, PARTITION_KEY).is_some_and(|pk| pk.starts_with("S#") || pk.starts_with("X#"))
}

/// The length of a [`hash`].
pub(crate) const HASH_LENGTH: usize = 43;

/// The SHA-256 of a text that may be too long for a key, in base64.
pub(crate) fn hash(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, text.as_bytes()))
}

fn key(pk: String, sk: &str) -> HistoryItem {
    HistoryItem::from([(PARTITION_KEY.to_owned(), string(pk)), (SORT_KEY.to_owned(), string(sk))])
}

pub(crate) fn string(text: impl Into<String>) -> AttributeValue {
    AttributeValue::S(text.into())
}

pub(crate) fn number(value: u64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

pub(crate) fn get_string<'a>(item: &'a HistoryItem, name: &str) -> Option<&'a str> {
    item.get(name)?.as_s().ok().map(String::as_str)
}

pub(crate) fn get_number(item: &HistoryItem, name: &str) -> Option<u64> {
    item.get(name)?.as_n().ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_is_ten_minutes_of_a_shard() {
        let tenant = Tenant::parse("demo").unwrap();
        let first = EpochMillis::from_seconds(1_790_000_400);
        assert_eq!(span(first), span(first.plus(SPAN).minus(Duration::from_millis(1))));
        assert_eq!(span(first) + 1, span(first.plus(SPAN)));
        assert_eq!(span(first), span(first.minus(Duration::from_millis(1))) + 1);
        assert_eq!(partition(&tenant, span(first), 3), "H#demo#2983334#3");
    }

    #[test]
    fn entities_share_all_shards() {
        let mut counts = [0; SHARDS as usize];
        for number in 0..1000 {
            let id = format!("urn:ngsi-ld:Room:{number}");
            assert_eq!(shard(&id), shard(&id));
            counts[usize::try_from(shard(&id)).unwrap()] += 1;
        }
        assert!(counts.iter().all(|count| *count > 150), "{counts:?}");
    }
}
