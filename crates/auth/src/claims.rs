use std::collections::BTreeSet;

use entity_stream_protocol::Tenant;
use serde_json::{Map, Value};

use crate::role_names::RoleNames;
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
    /// The claims of the tenant; each one counts.
    pub tenant: Vec<ClaimPath>,
    /// The claim of the role.
    pub role: ClaimPath,
    /// The roles that the values of that claim stand for.
    pub roles: RoleNames,
}

impl Default for ClaimPaths {
    fn default() -> Self {
        Self {
            tenant: ["tenant", "tenantId", "tenantName"].map(ClaimPath::new).to_vec(),
            role: ClaimPath::new("role"),
            roles: RoleNames::default(),
        }
    }
}

impl ClaimPaths {
    /// The tenants in all the claims, each a name or an array of names. Ignores texts that are not names of tenants.
    pub(crate) fn tenants(&self, claims: &Map<String, Value>) -> BTreeSet<Tenant> {
        let values = self.tenant.iter().filter_map(|path| path.find(claims));
        values.flat_map(names).filter_map(|name| Tenant::parse(name).ok()).collect()
    }

    /// The role of a name, or the highest known role in an array of names. Identity providers add other roles to such arrays.
    pub(crate) fn role(&self, claims: &Map<String, Value>) -> Result<Role, Refusal> {
        let names = self.role.find(claims).into_iter().flat_map(names);
        names.filter_map(|name| self.roles.role(name)).max().ok_or(Refusal::Role)
    }
}

/// The name in a value, or the names in an array. A name is a text, or the `name` of an object, as Keyrock writes roles and
/// organisations.
fn names(value: &Value) -> impl Iterator<Item = &str> {
    let entries = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
    entries.iter().filter_map(|entry| entry.as_str().or_else(|| entry.get("name")?.as_str()))
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
    fn each_claim_counts() {
        let paths = ["tenant", "tenantId"];
        assert_eq!(tenants(&paths, &json!({ "tenant": "A", "tenantId": "b" })), ["a", "b"]);
        assert_eq!(tenants(&paths, &json!({ "tenant": null, "tenantId": ["b", "c"] })), ["b", "c"]);
        assert_eq!(tenants(&paths, &json!({ "tenant": 7, "tenantId": "b" })), ["b"]);
        assert_eq!(tenants(&paths, &json!({ "tenantName": "c" })), [""; 0], "it is not among the claims");
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
    fn roles_are_found_as_keyrock_writes_them_and_under_other_names() {
        let keyrock = json!({ "roles": [{ "id": "4d4d", "name": "Provider" }, { "id": "5e5e", "name": "editor" }] });
        assert_eq!(role("roles", &keyrock), Err(Refusal::Role));
        let roles = RoleNames::parse("editor=user,Provider=tenant_admin").unwrap();
        let paths = ClaimPaths { role: ClaimPath::new("roles"), roles, ..ClaimPaths::default() };
        assert_eq!(paths.role(keyrock.as_object().unwrap()), Ok(Role::TenantAdmin));
        let organisations = json!({ "organizations": [{ "id": "a", "name": "smartcity" }, { "id": "b" }] });
        assert_eq!(tenants(&["organizations"], &organisations), ["smartcity"]);
        assert_eq!(role("roles", &json!({ "roles": { "id": "1", "name": "user" } })), Ok(Role::User));
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
            json!({ "role": { "name": ["user"] } }),
            json!({ "role": [["user"], { "id": "user" }] }),
        ] {
            assert_eq!(role("role", &claims), Err(Refusal::Role), "{claims}");
        }
    }
}
