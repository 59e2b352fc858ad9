use std::collections::BTreeSet;

use entity_stream_protocol::Tenant;
use serde_json::{Map, Value};

use crate::{Refusal, Role};

/// The path of a claim: its name, or the names of nested objects joined by dots, such as `realm_access.roles`. Names may
/// contain dots and colons themselves (`https://example.com/tenant`, `cognito:groups`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimPath(String);

impl ClaimPath {
    /// The path from the configuration.
    pub fn new(path: impl Into<String>) -> Self {
        Self(path.into())
    }

    /// The path in the form of the configuration.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The value of the claim, or `None` if it is missing or `null`.
    fn find<'a>(&self, claims: &'a Map<String, Value>) -> Option<&'a Value> {
        find(claims, &self.0).filter(|value| !value.is_null())
    }
}

/// The longest name wins: a name that contains dots comes before a path through objects.
fn find<'a>(claims: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    if let Some(value) = claims.get(path) {
        return Some(value);
    }
    path.rmatch_indices('.').find_map(|(dot, _)| {
        let inner = claims.get(&path[..dot])?.as_object()?;
        find(inner, &path[dot + 1..])
    })
}

/// The claims that contain the tenant and the role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimPaths {
    /// The claims of the tenant; the first one present counts.
    pub tenant: Vec<ClaimPath>,
    /// The claim of the role.
    pub role: ClaimPath,
}

impl Default for ClaimPaths {
    fn default() -> Self {
        Self { tenant: ["tenant", "tenantId", "tenantName"].map(ClaimPath::new).to_vec(), role: ClaimPath::new("role") }
    }
}

impl ClaimPaths {
    /// The tenants in the first claim that is present, a string or an array of strings. Ignores invalid tenant names, which
    /// give access to no tenant.
    pub(crate) fn tenants(&self, claims: &Map<String, Value>) -> BTreeSet<Tenant> {
        let first = self.tenant.iter().find_map(|path| path.find(claims));
        strings(first).filter_map(|name| Tenant::parse(name).ok()).collect()
    }

    /// The role in a string, or the highest known role in an array. Identity providers add other roles to such arrays.
    pub(crate) fn role(&self, claims: &Map<String, Value>) -> Result<Role, Refusal> {
        strings(self.role.find(claims)).filter_map(|name| name.parse().ok()).max().ok_or(Refusal::Role)
    }
}

fn strings(value: Option<&Value>) -> impl Iterator<Item = &str> {
    let several = value.and_then(Value::as_array).into_iter().flatten();
    value.into_iter().chain(several).filter_map(Value::as_str)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn tenants(paths: &[&str], claims: &Value) -> Vec<String> {
        let paths = ClaimPaths { tenant: paths.iter().copied().map(ClaimPath::new).collect(), ..ClaimPaths::default() };
        paths.tenants(claims.as_object().unwrap()).iter().map(ToString::to_string).collect()
    }

    fn role(path: &str, claims: &Value) -> Result<Role, Refusal> {
        ClaimPaths { role: ClaimPath::new(path), ..ClaimPaths::default() }.role(claims.as_object().unwrap())
    }

    #[test]
    fn the_first_claim_that_is_present_counts() {
        let paths = ["tenant", "tenantId"];
        assert_eq!(tenants(&paths, &json!({ "tenant": "A", "tenantId": "b" })), ["a"]);
        assert_eq!(tenants(&paths, &json!({ "tenant": null, "tenantId": ["b", "c"] })), ["b", "c"]);
        assert_eq!(tenants(&paths, &json!({ "tenant": 7, "tenantId": "b" })), [""; 0], "present, though useless");
        assert_eq!(tenants(&paths, &json!({})), [""; 0]);
    }

    #[test]
    fn names_that_are_no_tenants_give_access_to_none() {
        let claims = json!({ "tenant": ["a#*", "*", "", "a b", "ａ", {"a": 1}, ["b"], "ok"] });
        assert_eq!(tenants(&["tenant"], &claims), ["ok"]);
    }

    #[test]
    fn claims_are_found_as_keycloak_and_cognito_write_them() {
        let keycloak = json!({ "realm_access": { "roles": ["offline_access", "user", "tenant_admin"] } });
        assert_eq!(role("realm_access.roles", &keycloak), Ok(Role::TenantAdmin));
        let cognito = json!({ "cognito:groups": ["super_admin"], "custom:tenant": "smartcity" });
        assert_eq!(role("cognito:groups", &cognito), Ok(Role::SuperAdmin));
        assert_eq!(tenants(&["custom:tenant"], &cognito), ["smartcity"]);
        let auth0 = json!({ "https://example.com/app": { "tenant": "x" }, "https://example.com/role": "user" });
        assert_eq!(tenants(&["https://example.com/app.tenant"], &auth0), ["x"]);
        assert_eq!(role("https://example.com/role", &auth0), Ok(Role::User));
    }

    #[test]
    fn a_role_that_is_unknown_missing_or_no_text_is_refused() {
        for claims in [
            json!({}),
            json!({ "role": "root" }),
            json!({ "role": "SUPER_ADMIN" }),
            json!({ "role": 1 }),
            json!({ "role": [] }),
            json!({ "role": ["x"] }),
            json!({ "role": { "user": true } }),
        ] {
            assert_eq!(role("role", &claims), Err(Refusal::Role), "{claims}");
        }
    }
}
