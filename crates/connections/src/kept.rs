//! The scopes that subscriptions keep, in the item of a connection.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_dynamodb::types::AttributeValue;
use entity_stream_protocol::{EntityId, EntityType, SubscriptionName};

use crate::attributes::string;
use crate::keys::Scope;

/// The scopes that each subscription had before its filter became wider, and that still have an interest item.
pub(crate) type Kept = BTreeMap<SubscriptionName, BTreeSet<Scope>>;

const TYPE: &str = "T";
const ID: &str = "I";

/// A list of `[name, kind, text]`.
pub(crate) fn write_kept(kept: &Kept) -> AttributeValue {
    let entries = kept.iter().flat_map(|(name, scopes)| scopes.iter().map(move |scope| (name, scope)));
    let entry = |(name, scope): (&SubscriptionName, &Scope)| {
        // Nothing is read before the scope of everything, so it is never kept.
        let (kind, text) = match scope {
            Scope::Every => return None,
            Scope::Type(entity_type) => (TYPE, entity_type.as_str()),
            Scope::Id(id) => (ID, id.as_str()),
        };
        Some(AttributeValue::L([name.as_str(), kind, text].map(string).to_vec()))
    };
    AttributeValue::L(entries.filter_map(entry).collect())
}

/// Reads what [`write_kept`] wrote; `None` for any other value.
pub(crate) fn read_kept(value: &AttributeValue) -> Option<Kept> {
    let mut kept = Kept::new();
    for entry in value.as_l().ok()? {
        let [name, kind, text] = entry.as_l().ok()?.as_slice() else { return None };
        let text = text.as_s().ok()?.clone();
        let scope = match kind.as_s().ok()?.as_str() {
            TYPE => Scope::Type(EntityType::parse(text).ok()?),
            ID => Scope::Id(EntityId::parse(text).ok()?),
            _ => return None,
        };
        kept.entry(SubscriptionName::try_from(name.as_s().ok()?.clone()).ok()?).or_default().insert(scope);
    }
    Some(kept)
}
