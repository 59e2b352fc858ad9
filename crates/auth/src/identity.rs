use std::collections::BTreeSet;
use std::fmt;

use entity_stream_protocol::{EpochMillis, Tenant};

/// The role of an identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// Listens to its own tenants.
    User,
    /// Listens to its own tenants.
    TenantAdmin,
    /// Listens to every tenant.
    SuperAdmin,
}

/// The text is not the name of a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a role is super_admin, tenant_admin or user")]
pub struct UnknownRole;

impl Role {
    /// The name in tokens.
    pub fn as_str(self) -> &'static str {
        match self {
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
}

impl Identity {
    /// True if the identity may listen to a tenant. A super admin may listen to every tenant, others only to their own.
    pub fn may_listen_to(&self, tenant: &Tenant) -> bool {
        match self.role {
            Role::SuperAdmin => true,
            Role::TenantAdmin | Role::User => self.tenants.contains(tenant),
        }
    }
}
