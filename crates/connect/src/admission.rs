use entity_stream_auth::{Refusal, Refused};
use entity_stream_connections::Authorisation;
use entity_stream_protocol::Tenant;
use entity_stream_runtime::grant;

use crate::Connect;
use crate::handshake::Handshake;

impl Connect {
    /// Whether, as whom and for how long whoever opens this connection may listen to the tenant.
    pub(crate) async fn admit(&self, handshake: &Handshake<'_>, tenant: &Tenant) -> Result<Authorisation, Refused> {
        if let Some(origins) = &self.origins {
            // Several `Origin` headers are no browser's doing.
            let origins_are_allowed = handshake.header("origin").iter().all(|origin| origins.allow(origin));
            if !origins_are_allowed {
                return Err(Refusal::Origin.into());
            }
        }
        let Some(authenticator) = &self.authenticator else { return Ok(Authorisation::Open) };
        match handshake.credentials().find()? {
            Some(credential) => {
                let identity = authenticator.admit(&credential, tenant, self.clock.now()).await?;
                Ok(Authorisation::Granted(grant(identity)))
            }
            None if self.in_band => Ok(Authorisation::Pending),
            None => Err(Refusal::NoCredential.into()),
        }
    }
}
