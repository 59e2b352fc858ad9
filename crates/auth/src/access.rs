use entity_stream_protocol::{EpochMillis, Tenant};

use crate::credential::access_token;
use crate::{ApiKeys, Credential, Identity, Refusal, Refused, Verified, Verifier};

/// Verifies credentials and decides on access to a tenant.
#[derive(Clone, Debug)]
pub struct Authenticator {
    verifier: Verifier,
    api_keys: ApiKeys,
}

impl Authenticator {
    /// `verifier` verifies tokens; `api_keys` is the table of API keys.
    pub fn new(verifier: Verifier, api_keys: ApiKeys) -> Self {
        Self { verifier, api_keys }
    }

    /// The identity that a credential proves, if it gives access to the tenant.
    ///
    /// # Errors
    /// [`Refused`]: the reason to log and to answer with, and the subject if it is known. [`Refusal::ProofRequired`] for a token
    /// that is bound to a key.
    pub async fn admit(&self, credential: &Credential, tenant: &Tenant, now: EpochMillis) -> Result<Identity, Refused> {
        self.verify(credential, tenant, now).await?.bearer()
    }

    /// The identity that a credential names, if it gives access to the tenant, and the key of which the client owes a proof.
    ///
    /// # Errors
    /// [`Refused`]: the reason to log and to answer with, and the subject if it is known.
    pub async fn verify(
        &self,
        credential: &Credential,
        tenant: &Tenant,
        now: EpochMillis,
    ) -> Result<Verified, Refused> {
        of_tenant(self.verified(credential, now).await?, tenant)
    }

    /// The identity that a credential proves, whatever it may do. See [`Identity`].
    ///
    /// # Errors
    /// [`Refused`]: the reason to log and to answer with, and the subject if it is known. [`Refusal::ProofRequired`] for a token
    /// that is bound to a key.
    pub async fn identify(&self, credential: &Credential, now: EpochMillis) -> Result<Identity, Refused> {
        self.verified(credential, now).await?.bearer()
    }

    async fn verified(&self, credential: &Credential, now: EpochMillis) -> Result<Verified, Refused> {
        match credential {
            Credential::Token(token) => self.verifier.verify(token, now).await,
            Credential::ApiKey { name, key } => Ok(self.api_keys.verify(name, key, now).await?.into()),
        }
    }
}

impl Verifier {
    /// The identity that a token in a message names, if it gives access to the tenant, and the key of which the client owes a
    /// proof. Functions that take only tokens use this method: they have no code for API keys, and need neither their table nor a
    /// permission for it.
    ///
    /// # Errors
    /// [`Refused`]: the reason to log and to answer with, and the subject if it is known.
    pub async fn admit(&self, token: &str, tenant: &Tenant, now: EpochMillis) -> Result<Verified, Refused> {
        of_tenant(self.verify(&access_token(token)?, now).await?, tenant)
    }
}

fn of_tenant(verified: Verified, tenant: &Tenant) -> Result<Verified, Refused> {
    if verified.identity.may_listen_to(tenant) {
        Ok(verified)
    } else {
        Err(Refused { reason: Refusal::Tenant, subject: Some(verified.identity.subject) })
    }
}
