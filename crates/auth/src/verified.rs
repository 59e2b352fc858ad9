use crate::{Identity, ProofBinding, Refusal, Refused};

/// The identity that a verified credential names, and the key that the client has yet to prove.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// The identity. It may listen only if there is no binding, or after a proof of it.
    pub identity: Identity,
    /// The key to which the token is bound; `None` for a bearer token and for an API key.
    pub binding: Option<ProofBinding>,
}

impl Verified {
    /// The identity, if the credential is enough to prove it.
    ///
    /// # Errors
    /// [`Refusal::ProofRequired`] if the token is bound to a key.
    pub fn bearer(self) -> Result<Identity, Refused> {
        match self.binding {
            None => Ok(self.identity),
            Some(_) => Err(Refused { reason: Refusal::ProofRequired, subject: Some(self.identity.subject) }),
        }
    }
}

impl From<Identity> for Verified {
    /// The identity of a credential that is bound to no key.
    fn from(identity: Identity) -> Self {
        Self { identity, binding: None }
    }
}
