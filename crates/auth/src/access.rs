use entity_stream_protocol::{EpochMillis, Tenant};

use crate::credential::token_credential;
use crate::{ApiKeys, Credential, Identity, Refusal, Verifier};

/// Says whose credential it is, and whether that gives access to a tenant.
#[derive(Clone, Debug)]
pub struct Authenticator {
    verifier: Verifier,
    api_keys: ApiKeys,
}

impl Authenticator {
    /// Tokens are verified by `verifier`, API keys looked up in `api_keys`.
    pub fn new(verifier: Verifier, api_keys: ApiKeys) -> Self {
        Self { verifier, api_keys }
    }

    /// Whose credential this is, if it gives access to the tenant.
    ///
    /// # Errors
    /// The [`Refusal`] to log and to answer with.
    pub async fn admit(&self, credential: &Credential, tenant: &Tenant, now: EpochMillis) -> Result<Identity, Refusal> {
        let identity = match credential {
            Credential::Token(token) => self.verifier.verify(token, now).await?,
            Credential::ApiKey { name, key } => self.api_keys.verify(name, key, now).await?,
        };
        if identity.may_listen_to(tenant) {
            return Ok(identity);
        }
        tracing::info!(subject = identity.subject, role = %identity.role, "an identity asked for another tenant");
        Err(Refusal::Tenant)
    }

    /// The same for a token in a message.
    ///
    /// # Errors
    /// The [`Refusal`] to log and to answer with.
    pub async fn admit_token(&self, token: &str, tenant: &Tenant, now: EpochMillis) -> Result<Identity, Refusal> {
        self.admit(&token_credential(token)?, tenant, now).await
    }
}
