//! The layout of an item in the table of API keys.

use std::collections::{BTreeSet, HashMap};

use aws_sdk_dynamodb::types::AttributeValue;
use entity_stream_protocol::{EpochMillis, ServicePathPattern, Tenant};

use super::key::ApiKey;
use super::name::ApiKeyName;
use crate::identity::Role;

/// The partition key, a string: the name of the API key. The table has no sort key.
pub(super) const KEY_NAME: &str = "keyName";
const HASH: &str = "hash";
const ROLE: &str = "role";
const TENANTS: &str = "tenants";
const SERVICE_PATH: &str = "servicePath";
const CREATED_AT: &str = "createdAt";
pub(super) const LAST_USED_AT: &str = "lastUsedAt";
const VALID_UNTIL: &str = "validUntil";

/// The facts about an API key, without the key itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKeyRecord {
    /// The name of the key.
    pub name: ApiKeyName,
    /// The role that the key grants.
    pub role: Role,
    /// The tenants that the key grants access to.
    pub tenants: BTreeSet<Tenant>,
    /// The service paths into which the key may publish; `None` for every path.
    pub service_path: Option<ServicePathPattern>,
    /// The time of creation.
    pub created_at: EpochMillis,
    /// The time of the last use, to the hour; `None` before the first use.
    pub last_used_at: Option<EpochMillis>,
    /// The end of validity; `None` if the key is valid until it is revoked.
    pub expires_at: Option<EpochMillis>,
}

/// A record and the hash of its key, as the table holds them.
pub(super) struct StoredKey {
    pub(super) record: ApiKeyRecord,
    pub(super) hash: String,
}

impl StoredKey {
    pub(super) fn new(record: &ApiKeyRecord, key: &ApiKey) -> Self {
        Self { record: record.clone(), hash: key.hash() }
    }

    pub(super) fn to_item(&self) -> HashMap<String, AttributeValue> {
        let Self { record, hash } = self;
        let tenants = record.tenants.iter().map(|tenant| AttributeValue::S(tenant.to_string())).collect();
        let mut item = item_key(&record.name);
        item.insert(HASH.to_owned(), AttributeValue::S(hash.clone()));
        item.insert(ROLE.to_owned(), AttributeValue::S(record.role.to_string()));
        item.insert(TENANTS.to_owned(), AttributeValue::L(tenants));
        if let Some(path) = &record.service_path {
            item.insert(SERVICE_PATH.to_owned(), AttributeValue::S(path.as_str().to_owned()));
        }
        item.insert(CREATED_AT.to_owned(), number(record.created_at));
        let times = [(LAST_USED_AT, record.last_used_at), (VALID_UNTIL, record.expires_at)];
        item.extend(times.into_iter().filter_map(|(name, time)| Some((name.to_owned(), number(time?)))));
        item
    }

    /// Reads an item that [`StoredKey::to_item`] wrote; `None` for any other item, which must not grant access.
    pub(super) fn from_item(item: &HashMap<String, AttributeValue>) -> Option<Self> {
        let text = |name: &str| item.get(name)?.as_s().ok();
        let time = |name: &str| Some(EpochMillis::new(item.get(name)?.as_n().ok()?.parse().ok()?));
        // A time that is there but cannot be read must not count as "never".
        let optional_time = |name: &str| if item.contains_key(name) { time(name).map(Some) } else { Some(None) };
        // Nor must a service path that cannot be read count as every path.
        let service_path = match item.contains_key(SERVICE_PATH) {
            true => Some(ServicePathPattern::parse(text(SERVICE_PATH)?).ok()?),
            false => None,
        };
        let tenants = item.get(TENANTS)?.as_l().ok()?.iter();
        let record = ApiKeyRecord {
            name: text(KEY_NAME)?.parse().ok()?,
            role: text(ROLE)?.parse().ok()?,
            tenants: tenants.map(|tenant| Tenant::parse(tenant.as_s().ok()?).ok()).collect::<Option<_>>()?,
            service_path,
            created_at: time(CREATED_AT)?,
            last_used_at: optional_time(LAST_USED_AT)?,
            expires_at: optional_time(VALID_UNTIL)?,
        };
        Some(Self { record, hash: text(HASH)?.clone() })
    }
}

pub(super) fn item_key(name: &ApiKeyName) -> HashMap<String, AttributeValue> {
    HashMap::from([(KEY_NAME.to_owned(), AttributeValue::S(name.to_string()))])
}

/// A time in milliseconds since the epoch.
pub(super) fn number(time: EpochMillis) -> AttributeValue {
    AttributeValue::N(time.millis().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored() -> StoredKey {
        let record = ApiKeyRecord {
            name: "robot".parse().unwrap(),
            role: Role::TenantAdmin,
            tenants: ["a", "b"].map(|name| Tenant::parse(name).unwrap()).into(),
            service_path: None,
            created_at: EpochMillis::new(1),
            last_used_at: Some(EpochMillis::new(2)),
            expires_at: Some(EpochMillis::new(3)),
        };
        StoredKey::new(&record, &ApiKey::from_client("es_key"))
    }

    #[test]
    fn an_item_is_read_as_it_was_written() {
        let mut stored = stored();
        for times in [(None, None), (Some(EpochMillis::new(2)), Some(EpochMillis::new(3)))] {
            (stored.record.last_used_at, stored.record.expires_at) = times;
            let read = StoredKey::from_item(&stored.to_item()).unwrap();
            assert_eq!((read.record, read.hash), (stored.record.clone(), stored.hash.clone()));
        }
    }

    #[test]
    fn a_service_path_is_kept_and_a_damaged_one_is_not_every_path() {
        let mut stored = stored();
        stored.record.service_path = Some(ServicePathPattern::parse("/madrid/#").unwrap());
        let item = stored.to_item();
        assert_eq!(StoredKey::from_item(&item).unwrap().record, stored.record);
        for damaged in
            [AttributeValue::S("madrid".to_owned()), AttributeValue::S(String::new()), AttributeValue::Null(true)]
        {
            let mut item = item.clone();
            item.insert(SERVICE_PATH.to_owned(), damaged);
            assert!(StoredKey::from_item(&item).is_none());
        }
    }

    #[test]
    fn a_damaged_item_is_not_a_key() {
        let whole = stored().to_item();
        for name in whole.keys() {
            let mut item = whole.clone();
            item.insert(name.clone(), AttributeValue::Bool(true));
            assert!(StoredKey::from_item(&item).is_none(), "{name} has another type");
            item.remove(name);
            let optional = [LAST_USED_AT, VALID_UNTIL].contains(&name.as_str());
            assert_eq!(StoredKey::from_item(&item).is_some(), optional, "{name} is missing");
        }
        let unbounded = AttributeValue::L(vec![AttributeValue::S("*".to_owned())]);
        let item = [whole, HashMap::from([(TENANTS.to_owned(), unbounded)])].into_iter().flatten().collect();
        assert!(StoredKey::from_item(&item).is_none(), "`*` is not the name of a tenant");
    }
}
