use entity_stream_auth::{AllowedOrigins, Authenticator, Refusal, Refused};
use entity_stream_connections::{Authorisation, Grant};
use entity_stream_protocol::{EpochMillis, Tenant};

use crate::handshake::Handshake;

/// The rules by which the function accepts or refuses a client.
#[derive(Clone, Debug)]
pub(crate) struct Admission {
    /// `None` accepts every client.
    pub(crate) authenticator: Option<Authenticator>,
    /// Lets clients connect without a credential and authenticate with their first message.
    pub(crate) in_band: bool,
    /// `None` accepts the pages of every origin.
    pub(crate) origins: Option<AllowedOrigins>,
    /// The most connections of one subject to one tenant.
    pub(crate) most_connections: usize,
}

impl Admission {
    /// Refuses the pages of other origins.
    pub(crate) fn check_origin(&self, handshake: &Handshake<'_>) -> Result<(), Refused> {
        let Some(origins) = &self.origins else { return Ok(()) };
        // Only browsers send `Origin`. If a client sends several, each must be allowed.
        let all_are_allowed = handshake.header("origin").iter().all(|origin| origins.allow(origin));
        if all_are_allowed { Ok(()) } else { Err(Refusal::Origin.into()) }
    }

    /// Decides on a credential: returns the client's authorisation for the tenant, or the reason for the refusal.
    pub(crate) async fn authorise(
        &self,
        handshake: &Handshake<'_>,
        tenant: &Tenant,
        now: EpochMillis,
    ) -> Result<Authorisation, Refused> {
        let Some(authenticator) = &self.authenticator else { return Ok(Authorisation::Open) };
        match handshake.credentials().find()? {
            Some(credential) => {
                let identity = authenticator.admit(&credential, tenant, now).await?;
                let grant = Grant::new(identity.subject, identity.role.as_str(), identity.expires_at);
                Ok(Authorisation::Granted(grant))
            }
            None if self.in_band => Ok(Authorisation::Pending),
            None => Err(Refusal::NoCredential.into()),
        }
    }
}
