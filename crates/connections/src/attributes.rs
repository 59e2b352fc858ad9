//! The names and conversions of attributes. No other module spells an attribute name.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;

/// An item in the form of the SDK.
pub(crate) type Item = HashMap<String, AttributeValue>;

pub(crate) const PK: &str = crate::schema::PARTITION_KEY;
pub(crate) const SK: &str = crate::schema::SORT_KEY;
pub(crate) const EXPIRES_AT: &str = crate::schema::TTL_ATTRIBUTE;
pub(crate) const TENANT: &str = "tenant";
pub(crate) const CONNECTED_AT: &str = "connectedAt";
pub(crate) const FORMAT: &str = "format";
pub(crate) const GROUP: &str = "group";
pub(crate) const ID_PATTERN: &str = "idPattern";
pub(crate) const ENTITY_TYPES: &str = "entityTypes";
pub(crate) const SUBSCRIBED: &str = "subscribed";
pub(crate) const REVISION: &str = "revision";
pub(crate) const SUBJECT: &str = "subject";
pub(crate) const ROLE: &str = "role";
pub(crate) const AUTHORISED_UNTIL: &str = "authorisedUntil";
pub(crate) const PENDING: &str = "pending";
pub(crate) const KEPT: &str = "kept";
pub(crate) const LEFTOVERS: &str = "leftovers";

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
