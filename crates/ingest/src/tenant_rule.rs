use std::collections::BTreeMap;

use aws_lambda_events::http::HeaderMap;
use entity_stream_protocol::Tenant;

/// The headers in which brokers name the tenant.
const HEADERS: [&str; 2] = ["ngsild-tenant", "fiware-service"];

/// The tenant of a notification: the header's, translated where the operator says so, or the default one.
#[derive(Clone, Debug)]
pub(crate) struct TenantRule {
    pub(crate) names: BTreeMap<String, Tenant>,
    pub(crate) default: Option<Tenant>,
}

/// A notification has no tenant that the service knows. The messages do not repeat the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum UnknownTenant {
    #[error("no header names the tenant: send NGSILD-Tenant or Fiware-Service, or set INGEST_DEFAULT_TENANT")]
    Missing,
    #[error(
        "the header NGSILD-Tenant or Fiware-Service is no tenant: a tenant is 1 to 63 of A-Z a-z 0-9 _ -; translate other names \
         with INGEST_TENANT_MAP"
    )]
    Invalid,
    #[error("the headers NGSILD-Tenant and Fiware-Service name different tenants: send one of them")]
    Several,
}

impl TenantRule {
    pub(crate) fn tenant(&self, headers: &HeaderMap) -> Result<Tenant, UnknownTenant> {
        let mut found: Option<Tenant> = None;
        for name in HEADERS.iter().flat_map(|header| headers.get_all(*header)) {
            let name = name.to_str().map_err(|_| UnknownTenant::Invalid)?.trim();
            // Orion sends an empty header for its default tenant.
            if name.is_empty() {
                continue;
            }
            let tenant = match self.names.get(name) {
                Some(tenant) => tenant.clone(),
                None => Tenant::parse(name).map_err(|_| UnknownTenant::Invalid)?,
            };
            if found.as_ref().is_some_and(|found| *found != tenant) {
                return Err(UnknownTenant::Several);
            }
            found = Some(tenant);
        }
        found.or_else(|| self.default.clone()).ok_or(UnknownTenant::Missing)
    }
}

#[cfg(test)]
mod tests {
    use aws_lambda_events::http::HeaderValue;

    use super::*;

    fn tenant(default: Option<&str>, headers: &[(&'static str, &str)]) -> Result<String, UnknownTenant> {
        let parsed = |name: &str| Tenant::parse(name).unwrap();
        let rule = TenantRule {
            names: BTreeMap::from([("urn:ngsi-ld:tenant:default".to_owned(), parsed("city"))]),
            default: default.map(parsed),
        };
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_str(value).unwrap());
        }
        rule.tenant(&map).map(|tenant| tenant.to_string())
    }

    #[test]
    fn the_header_names_the_tenant_or_the_default_does() {
        assert_eq!(tenant(None, &[("ngsild-tenant", "City")]).as_deref(), Ok("city"));
        assert_eq!(tenant(None, &[("fiware-service", "city")]).as_deref(), Ok("city"));
        assert_eq!(tenant(Some("other"), &[("fiware-service", "city")]).as_deref(), Ok("city"));
        assert_eq!(tenant(None, &[("ngsild-tenant", "urn:ngsi-ld:tenant:default")]).as_deref(), Ok("city"));
        assert_eq!(tenant(Some("other"), &[("fiware-service", "")]).as_deref(), Ok("other"));
        assert_eq!(tenant(Some("other"), &[]).as_deref(), Ok("other"));
        assert_eq!(tenant(None, &[]), Err(UnknownTenant::Missing));
        assert_eq!(tenant(Some("other"), &[("ngsild-tenant", "urn:x")]), Err(UnknownTenant::Invalid));
        let both = [("ngsild-tenant", "city"), ("fiware-service", "City")];
        assert_eq!(tenant(None, &both).as_deref(), Ok("city"));
        assert_eq!(tenant(None, &[both[0], ("fiware-service", "b")]), Err(UnknownTenant::Several));
    }
}
