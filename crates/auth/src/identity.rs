use std::collections::BTreeSet;
use std::fmt;

use entity_stream_protocol::{EpochMillis, ServicePathPattern, Tenant};

/// The role of an identity, in ascending order: of several roles in a token, the highest counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// Publishes changes of its own tenants, and listens to none.
    Publisher,
    /// Listens to its own tenants.
    User,
    /// Listens to its own tenants, and publishes their changes.
    TenantAdmin,
    /// Listens to every tenant, and publishes the changes of every tenant.
    SuperAdmin,
}

/// The text is not the name of a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a role is super_admin, tenant_admin, user or publisher")]
pub struct UnknownRole;

impl Role {
    /// The name in tokens.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Publisher => "publisher",
            Self::User => "user",
            Self::TenantAdmin => "tenant_admin",
            Self::SuperAdmin => "super_admin",
        }
    }
}

impl std::str::FromStr for Role {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "publisher" => Ok(Self::Publisher),
            "user" => Ok(Self::User),
            "tenant_admin" => Ok(Self::TenantAdmin),
            "super_admin" => Ok(Self::SuperAdmin),
            _ => Err(UnknownRole),
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The prefix of the subject of an API key. No subject of a token may have it.
pub const API_KEY_SUBJECT: &str = "key:";

/// The prefix of the subject of a client without a credential: its address follows. No subject of a token may have it.
pub const ADDRESS_SUBJECT: &str = "address:";

/// The identity behind a verified credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The subject: the token's `sub`, or [`API_KEY_SUBJECT`] and the API key's name.
    pub subject: String,
    /// The role.
    pub role: Role,
    /// The tenants of the identity.
    pub tenants: BTreeSet<Tenant>,
    /// The end of validity; `None` for an API key without an expiry.
    pub expires_at: Option<EpochMillis>,
    /// The service paths into which the identity may publish; `None` for every path. Only an API key has a limit.
    pub service_path: Option<ServicePathPattern>,
}

impl Identity {
    /// True if the identity may listen to a tenant. A super admin may listen to every tenant, others only to their own.
    pub fn may_listen_to(&self, tenant: &Tenant) -> bool {
        match self.role {
            Role::SuperAdmin => true,
            Role::TenantAdmin | Role::User => self.tenants.contains(tenant),
            Role::Publisher => false,
        }
    }

    /// True if the identity may publish changes of a tenant. A super admin may publish those of every tenant, a tenant admin and
    /// a publisher only those of their own tenants, and a user none.
    pub fn may_publish_to(&self, tenant: &Tenant) -> bool {
        match self.role {
            Role::SuperAdmin => true,
            Role::TenantAdmin | Role::Publisher => self.tenants.contains(tenant),
            Role::User => false,
        }
    }

    /// True if the identity may publish changes of entities with this service path.
    pub fn may_publish_into(&self, service_path: &str) -> bool {
        self.service_path.as_ref().is_none_or(|allowed| allowed.matches(service_path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(role: Role, service_path: Option<&str>) -> Identity {
        Identity {
            subject: "key:broker".to_owned(),
            role,
            tenants: [Tenant::parse("city").unwrap()].into(),
            expires_at: None,
            service_path: service_path.map(|path| ServicePathPattern::parse(path).unwrap()),
        }
    }

    #[test]
    fn a_role_listens_or_publishes_or_does_both() {
        let [own, other] = ["city", "other"].map(|name| Tenant::parse(name).unwrap());
        for (role, listens, publishes, everywhere) in [
            (Role::Publisher, false, true, false),
            (Role::User, true, false, false),
            (Role::TenantAdmin, true, true, false),
            (Role::SuperAdmin, true, true, true),
        ] {
            let identity = identity(role, None);
            assert_eq!((identity.may_listen_to(&own), identity.may_publish_to(&own)), (listens, publishes), "{role}");
            let others = (identity.may_listen_to(&other), identity.may_publish_to(&other));
            assert_eq!(others, (everywhere, everywhere), "{role}");
            assert_eq!(role.as_str().parse(), Ok(role));
        }
    }

    #[test]
    fn a_service_path_limits_what_is_published() {
        let free = identity(Role::Publisher, None);
        assert!(free.may_publish_into("/") && free.may_publish_into("/madrid"));
        let limited = identity(Role::Publisher, Some("/madrid/#"));
        assert!(limited.may_publish_into("/madrid") && limited.may_publish_into("/madrid/parks"));
        assert!(!limited.may_publish_into("/") && !limited.may_publish_into("/madrid2"));
    }
}
