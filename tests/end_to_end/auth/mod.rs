//! Authentication and access.

mod access;
mod api_keys;
mod discovery;
mod dpop;
mod dpop_instances;
mod expiry;
mod forged;
mod groups;
mod in_band;
mod jwks;
mod key_rotation;
mod origins;
mod property;
mod providers;
mod public_tenants;
mod quota;
mod refusals;
mod rotation;
mod settings;

use entity_stream_local::{Config, RefuseWith};
pub(crate) use settings::Counts;

use crate::harness::tokens::auth_environment;
use crate::harness::{Client, System, config};

/// A system with these settings and with authentication by the tests' secret. It refuses with the status.
pub(crate) async fn guarded(settings: &'static [(&'static str, &'static str)]) -> System {
    System::start_with(guarded_config(settings)).await
}

pub(crate) fn guarded_config(settings: &'static [(&'static str, &'static str)]) -> Config {
    Config { auth_enabled: true, environment: auth_environment(settings), refuse_with: RefuseWith::Status, ..config() }
}

/// Opens a connection with a token. Returns the status if the token is refused.
pub(crate) async fn open(system: &System, tenant: &str, token: &str) -> Result<Client, u16> {
    let bearer = format!("Bearer {token}");
    let query = format!("tenant={tenant}");
    Client::connect(&system.url(&query), &[("authorization", &bearer)]).await.map_err(|refusal| refusal.status)
}

/// The status of a refused token, or 0 for an accepted one.
pub(crate) async fn refused(system: &System, tenant: &str, token: &str) -> u16 {
    open(system, tenant, token).await.err().unwrap_or_default()
}
