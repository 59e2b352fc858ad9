//! The names of attributes and the conversions of their values. No other module spells a name.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use entity_stream_protocol::EpochMillis;

/// An item in the form of the SDK.
pub(crate) type Item = HashMap<String, AttributeValue>;

/// The partition key, a string.
pub const PARTITION_KEY: &str = "pk";
/// The sort key, a string.
pub const SORT_KEY: &str = "sk";
/// The TTL attribute, in seconds since the epoch. DynamoDB deletes expired items late, so every read skips them.
pub const TTL_ATTRIBUTE: &str = "expiresAt";

pub(crate) const PK: &str = PARTITION_KEY;
pub(crate) const SK: &str = SORT_KEY;
pub(crate) const EXPIRES_AT: &str = TTL_ATTRIBUTE;
pub(crate) const TENANT: &str = "tenant";
pub(crate) const CONNECTED_AT: &str = "connectedAt";
pub(crate) const FORMAT: &str = "format";
pub(crate) const GROUP: &str = "group";
pub(crate) const ACKNOWLEDGEMENT: &str = "ack";
pub(crate) const SUBSCRIPTIONS: &str = "subscriptions";
pub(crate) const NAMED: &str = "named";
pub(crate) const REVISION: &str = "revision";
pub(crate) const SUBJECT: &str = "subject";
pub(crate) const ROLE: &str = "role";
pub(crate) const AUTHORISED_UNTIL: &str = "authorisedUntil";
pub(crate) const PENDING: &str = "pending";
pub(crate) const PROOF_KEY: &str = "proofKey";
pub(crate) const PROOF_TOKEN: &str = "proofToken";
pub(crate) const USED_BY: &str = "usedBy";
pub(crate) const SESSION: &str = "session";
pub(crate) const RESUMED_AT: &str = "resumedAt";
pub(crate) const BATCH: &str = "batch";
pub(crate) const GROUP_HASH: &str = "groupHash";
pub(crate) const SLOTS: &str = "slots";

pub(crate) fn string(text: impl Into<String>) -> AttributeValue {
    AttributeValue::S(text.into())
}

pub(crate) fn number(value: u64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

pub(crate) fn get_string<'a>(item: &'a Item, name: &str) -> Option<&'a str> {
    item.get(name)?.as_s().ok().map(String::as_str)
}

pub(crate) fn get_number(item: &Item, name: &str) -> Option<u64> {
    item.get(name)?.as_n().ok()?.parse().ok()
}

/// The size of an item in bytes. DynamoDB counts names and values in UTF-8; a number takes at most a byte for each digit; a list
/// or a map takes three bytes, and one for each entry.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html>
pub(crate) fn item_bytes(item: &Item) -> usize {
    item.iter().map(|(name, value)| name.len() + value_bytes(value)).sum()
}

fn value_bytes(value: &AttributeValue) -> usize {
    match value {
        AttributeValue::S(text) | AttributeValue::N(text) => text.len(),
        AttributeValue::L(entries) => 3 + entries.iter().map(|entry| 1 + value_bytes(entry)).sum::<usize>(),
        AttributeValue::M(entries) => 3 + entries.len() + item_bytes(entries),
        _ => 1,
    }
}

/// A time in milliseconds since the epoch.
pub(crate) fn get_time(item: &Item, name: &str) -> Option<EpochMillis> {
    Some(EpochMillis::new(i64::try_from(get_number(item, name)?).unwrap_or(i64::MAX)))
}
