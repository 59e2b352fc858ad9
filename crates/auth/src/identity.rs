use std::collections::BTreeSet;
use std::fmt;

use entity_stream_protocol::{EpochMillis, Tenant};

/// What somebody may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// Listens to its own tenants.
    User,
    /// Listens to its own tenants.
    TenantAdmin,
    /// Listens to every tenant.
    SuperAdmin,
}

/// A text that names no role.
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

/// What the subject of an API key begins with, and that of no token.
pub const API_KEY_SUBJECT: &str = "key:";

/// Somebody whose credential has been verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Who it is: the token's `sub`, or [`API_KEY_SUBJECT`] and the API key's name.
    pub subject: String,
    /// What it may do.
    pub role: Role,
    /// The tenants it belongs to.
    pub tenants: BTreeSet<Tenant>,
    /// When it stops being valid; never, for an API key without an expiry.
    pub expires_at: Option<EpochMillis>,
}

impl Identity {
    /// Whether it may listen to a tenant: any of them for a super admin, its own for everybody else.
    pub fn may_listen_to(&self, tenant: &Tenant) -> bool {
        match self.role {
            Role::SuperAdmin => true,
            Role::TenantAdmin | Role::User => self.tenants.contains(tenant),
        }
    }
}
