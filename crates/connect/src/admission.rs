use std::collections::BTreeSet;

use entity_stream_auth::{AllowedOrigins, Authenticator, ProofBinding, Refusal, Refused, Verified};
use entity_stream_connections::{Authorisation, Grant, UnprovedGrant};
use entity_stream_protocol::{EpochMillis, Tenant};

use crate::address::address_subject;
use crate::handshake::Handshake;

/// The rules by which the function accepts or refuses a client.
#[derive(Clone, Debug)]
pub(crate) struct Admission {
    /// `None` accepts every client.
    pub(crate) authenticator: Option<Authenticator>,
    /// Lets clients connect without a credential and authenticate with their first message.
    pub(crate) in_band: bool,
    /// Lets clients send their token in the URL.
    pub(crate) query_token: bool,
    /// The tenants to which clients may listen without a credential.
    pub(crate) public_tenants: BTreeSet<Tenant>,
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
        (handshake, source_ip): (&Handshake<'_>, &str),
        tenant: &Tenant,
        now: EpochMillis,
    ) -> Result<Authorisation, Refused> {
        let Some(authenticator) = &self.authenticator else { return Ok(Authorisation::Open) };
        // Such a token is refused even beside another credential: the logs of proxies have it already.
        if !self.query_token && !handshake.query("token").is_empty() {
            return Err(Refusal::QueryToken.into());
        }
        match handshake.credentials().find()? {
            Some(credential) => {
                let Verified { identity, binding } = authenticator.verify(&credential, tenant, now).await?;
                let grant = Grant::new(identity.subject, identity.role.as_str(), identity.expires_at);
                Ok(match binding {
                    None => Authorisation::Granted(grant),
                    Some(ProofBinding { key, token }) => Authorisation::Unproved(UnprovedGrant { grant, key, token }),
                })
            }
            None if self.public_tenants.contains(tenant) => {
                Ok(Authorisation::Granted(Grant::public(address_subject(source_ip))))
            }
            None if self.in_band => Ok(Authorisation::Pending),
            None => Err(Refusal::NoCredential.into()),
        }
    }
}
