use std::fmt;
use std::str::FromStr;

use anyhow::ensure;
use entity_stream_auth::{ClaimPath, ClaimPaths};
use entity_stream_runtime::{Environment, claim_paths};
use serde_json::Value;

/// The names of the claims for tenants and role, as the functions read them in the same environment.
#[derive(Debug)]
pub(crate) struct ClaimNames(ClaimPaths);

impl ClaimNames {
    pub(crate) fn of(environment: &Environment) -> anyhow::Result<Self> {
        Ok(Self(claim_paths(environment)?))
    }

    /// The claim for tenants of new tokens. The functions look for a name with dots as it is, before they follow a path.
    pub(crate) fn tenant(&self) -> &str {
        self.0.tenant.first().map_or("tenant", ClaimPath::as_str)
    }

    /// The claim for the role of new tokens.
    pub(crate) fn role(&self) -> &str {
        self.0.role.as_str()
    }

    /// The claims in which the functions look for a tenant, as text.
    pub(crate) fn shown(&self) -> String {
        let names: Vec<&str> = self.0.tenant.iter().map(ClaimPath::as_str).collect();
        match names.split_last() {
            Some((last, others)) if !others.is_empty() => format!("{} or {last}", others.join(", ")),
            _ => names.concat(),
        }
    }

    /// The paths that the functions follow.
    pub(crate) fn paths(&self) -> &ClaimPaths {
        &self.0
    }
}

/// An additional claim, `name=value`. A value that is not JSON is a text.
#[derive(Clone, PartialEq)]
pub(crate) struct Claim {
    pub(crate) name: String,
    pub(crate) value: Value,
}

impl Claim {
    /// Fails if the claim has an option of its own.
    pub(crate) fn check(&self, names: &ClaimNames) -> anyhow::Result<()> {
        let taken = ["sub", "iat", "exp", "iss", "aud", "cnf", names.tenant(), names.role()];
        let name = self.name.as_str();
        ensure!(!taken.contains(&name), "--claim: another option sets `{name}`");
        Ok(())
    }
}

impl FromStr for Claim {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, value) = text.split_once('=').filter(|(name, _)| !name.is_empty()).ok_or("expected name=value")?;
        let value = serde_json::from_str(value).unwrap_or_else(|_| value.into());
        Ok(Self { name: name.to_owned(), value })
    }
}

impl fmt::Debug for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Claim({:?})", self.name)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_claim_is_json_or_text() {
        let value = |text: &str| text.parse::<Claim>().unwrap().value;
        assert_eq!(value("a=text=more"), json!("text=more"));
        assert_eq!(value("a=7"), json!(7));
        assert_eq!(value("a=\"7\""), json!("7"));
        assert_eq!(value("a={\"roles\":[\"user\"]}"), json!({ "roles": ["user"] }));
        assert_eq!(value("a="), json!(""));
        assert!("=x".parse::<Claim>().is_err() && "x".parse::<Claim>().is_err());
    }

    #[test]
    fn claims_have_their_configured_names() {
        let usual = ClaimNames::of(&Environment::new(|_| None)).unwrap();
        assert_eq!((usual.tenant(), usual.role(), usual.paths()), ("tenant", "role", &ClaimPaths::default()));
        let other = ClaimNames::of(&Environment::new(|name| match name {
            "JWT_TENANT_CLAIMS" => Some(" custom:tenant, tenant".to_owned()),
            "JWT_ROLE_CLAIM" => Some("realm_access.roles".to_owned()),
            _ => None,
        }))
        .unwrap();
        assert_eq!((other.tenant(), other.role()), ("custom:tenant", "realm_access.roles"));
        assert_eq!(other.paths().tenant, [ClaimPath::new("custom:tenant"), ClaimPath::new("tenant")]);
        assert!("tenant=x".parse::<Claim>().unwrap().check(&other).is_ok());
        assert!("custom:tenant=x".parse::<Claim>().unwrap().check(&other).is_err());
        assert!("exp=1".parse::<Claim>().unwrap().check(&usual).is_err());
    }
}
