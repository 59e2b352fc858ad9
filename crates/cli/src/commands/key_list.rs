use entity_stream_auth::{ApiKeyRecord, Role};
use entity_stream_protocol::{EpochMillis, ServicePathPattern, Tenant};
use serde_json::{Value, json};

use crate::commands::columns::columns;
use crate::lifetime::roughly;
use crate::token::listed;

const TITLES: [&str; 6] = ["NAME", "ROLE", "TENANTS", "CREATED", "LAST USED", "EXPIRES"];

/// The records of keys, for programs.
pub(super) fn json(keys: &[ApiKeyRecord]) -> Value {
    let time = |time: Option<EpochMillis>| time.map(EpochMillis::to_rfc3339);
    let key = |key: &ApiKeyRecord| {
        json!({
            "name": key.name.as_str(),
            "role": key.role.as_str(),
            "tenants": key.tenants.iter().map(Tenant::as_str).collect::<Vec<_>>(),
            "servicePath": key.service_path.as_ref().map(ServicePathPattern::as_str),
            "createdAt": time(Some(key.created_at)),
            "lastUsedAt": time(key.last_used_at),
            "expiresAt": time(key.expires_at),
        })
    };
    keys.iter().map(key).collect()
}

/// The records of keys, for people.
pub(super) fn table(keys: &[ApiKeyRecord], now: EpochMillis) -> String {
    columns(TITLES, keys.iter().map(|key| row(key, now)))
}

fn row(key: &ApiKeyRecord, now: EpochMillis) -> [String; 6] {
    let mut tenants = if key.role == Role::SuperAdmin { "all".to_owned() } else { listed(&key.tenants) };
    if let Some(path) = &key.service_path {
        tenants = format!("{tenants} in {}", path.as_str());
    }
    let ago = |time: EpochMillis| format!("{} ago", roughly(now.since(time)));
    let expires = match key.expires_at {
        None => "never".to_owned(),
        Some(time) if time <= now => format!("expired {}", ago(time)),
        Some(time) => format!("in {}", roughly(time.since(now))),
    };
    // The table has the time of use to the hour.
    let hours = |time: EpochMillis| if now.since(time).as_secs() < 7200 { "recently".to_owned() } else { ago(time) };
    let used = key.last_used_at.map_or_else(|| "never".to_owned(), hours);
    [key.name.to_string(), key.role.to_string(), tenants, ago(key.created_at), used, expires]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const HOUR: i64 = 3_600_000;

    fn keys() -> Vec<ApiKeyRecord> {
        let key = |name: &str, role, tenants: &[&str], last_used_at, expires_at| ApiKeyRecord {
            name: name.parse().unwrap(),
            role,
            tenants: tenants.iter().map(|tenant| Tenant::parse(tenant).unwrap()).collect::<BTreeSet<_>>(),
            service_path: (role == Role::Publisher).then(|| ServicePathPattern::parse("/a/#").unwrap()),
            created_at: EpochMillis::new(0),
            last_used_at,
            expires_at,
        };
        let at = |hours: i64| Some(EpochMillis::new(hours * HOUR));
        vec![
            key("a", Role::User, &["city", "demo"], at(9), at(40)),
            // Tenants do not limit a super admin.
            key("longer.name", Role::SuperAdmin, &["demo"], None, None),
            key("old", Role::TenantAdmin, &["demo"], at(5), at(7)),
            key("orion", Role::Publisher, &["demo"], None, None),
        ]
    }

    #[test]
    fn people_get_columns() {
        let expected = "\
NAME         ROLE          TENANTS       CREATED   LAST USED  EXPIRES
a            user          city, demo    10 h ago  recently   in 30 h
longer.name  super_admin   all           10 h ago  never      never
old          tenant_admin  demo          10 h ago  5 h ago    expired 3 h ago
orion        publisher     demo in /a/#  10 h ago  never      never";
        assert_eq!(table(&keys(), EpochMillis::new(10 * HOUR)), expected);
    }

    #[test]
    fn programs_get_everything() {
        let json = json(&keys());
        assert_eq!(json[0]["tenants"], serde_json::json!(["city", "demo"]));
        assert_eq!(json[0]["createdAt"], "1970-01-01T00:00:00Z");
        assert_eq!(json[0]["expiresAt"], "1970-01-02T16:00:00Z");
        assert_eq!((&json[3]["servicePath"], &json[0]["servicePath"]), (&"/a/#".into(), &Value::Null));
        assert_eq!((&json[1]["lastUsedAt"], &json[1]["role"]), (&Value::Null, &"super_admin".into()));
    }
}
