use std::collections::BTreeMap;

use entity_stream_protocol::Tenant;

use super::connect::AccessConfig;
use super::fault::InvalidConfig;
use super::reader::Reader;
use super::resources;
use crate::environment::{
    EVENT_BUS_NAME, Environment, INGEST_DEFAULT_TENANT, INGEST_ENABLED, INGEST_SOURCE, INGEST_TENANT_MAP,
};

/// The configuration of the ingest function.
#[derive(Clone, Debug)]
pub struct IngestConfig {
    /// Accepts notifications at all. It needs `INGEST_ENABLED` and `EVENT_STREAMING_ENABLED`, because events that nothing
    /// streams would be lost.
    pub is_enabled: bool,
    /// The credentials that senders need; `None` accepts every sender.
    pub access: Option<AccessConfig>,
    /// The tenant of notifications that name none.
    pub default_tenant: Option<Tenant>,
    /// The tenants for names that brokers use, and that are perhaps no tenants, such as URIs.
    pub tenant_map: BTreeMap<String, Tenant>,
    /// The name or ARN of the bus. `None`: the account's default bus.
    pub event_bus: Option<String>,
    /// The `source` of the events, if the deployment streams the events of one source only.
    pub source: Option<String>,
}

impl IngestConfig {
    /// Reads the configuration.
    ///
    /// # Errors
    /// [`InvalidConfig`] lists every variable that is missing or malformed.
    pub fn read(environment: &Environment) -> Result<Self, InvalidConfig> {
        let mut reader = Reader::new(environment);
        let streaming_enabled = reader.streaming_enabled();
        let ingest_enabled = reader.optional_flag(INGEST_ENABLED);
        let access = AccessConfig::read_with(&mut reader);
        let default_tenant = reader.optional(INGEST_DEFAULT_TENANT, |name| Tenant::parse(&name).ok());
        let tenant_map = reader.optional(INGEST_TENANT_MAP, |list| tenant_map(&list));
        let event_bus = reader.optional(EVENT_BUS_NAME, resources::event_bus);
        let source = reader.text(INGEST_SOURCE);
        reader.finish(|| {
            Ok(Self {
                is_enabled: ingest_enabled? && streaming_enabled,
                access: access?,
                default_tenant: default_tenant?,
                tenant_map: tenant_map?.unwrap_or_default(),
                event_bus: event_bus?,
                source,
            })
        })
    }
}

/// Reads `NAME=TENANT,NAME=TENANT`. A name may contain `=`, and no comma.
fn tenant_map(list: &str) -> Option<BTreeMap<String, Tenant>> {
    list.split(',')
        .map(|pair| {
            let (name, tenant) = pair.trim().rsplit_once('=')?;
            let name = name.trim();
            (!name.is_empty()).then_some((name.to_owned(), Tenant::parse(tenant.trim()).ok()?))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_has_names_and_tenants() {
        let map = tenant_map("urn:ngsi-ld:tenant:default=City, a=b=c").unwrap();
        let pairs: Vec<_> = map.iter().map(|(name, tenant)| (name.as_str(), tenant.as_str())).collect();
        assert_eq!(pairs, [("a=b", "c"), ("urn:ngsi-ld:tenant:default", "city")]);
        for list in ["city", "=city", "a=", "a=b,", "a=b c", "a=#"] {
            assert_eq!(tenant_map(list), None, "{list}");
        }
    }
}
