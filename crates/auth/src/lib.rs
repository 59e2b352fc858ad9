//! Access: finding a credential in a handshake, verifying it, and deciding on a tenant.
//!
//! The rule: a client that proves an unexpired identity may listen to the tenants of that identity, and a super admin may
//! listen to every tenant. All other clients are refused with a [`Refusal`]. It tells the operator the exact reason, and the
//! client as little as possible.

mod access;
mod api_keys;
mod claims;
mod credential;
mod dpop;
mod identity;
mod inspect;
mod jwks;
mod key_endpoint;
mod key_set;
mod origin;
mod refusal;
mod role_names;
mod rotation;
mod secret;
mod token_keys;
mod verification_key;
mod verified;
mod verifier;

pub use access::Authenticator;
pub use api_keys::{ApiKey, ApiKeyError, ApiKeyName, ApiKeyRecord, ApiKeys, InvalidApiKeyName};
pub use claims::{ClaimPath, ClaimPaths};
pub use credential::{ACCESS_TOKEN, Credential, HandshakeCredentials, offers_access_token};
pub use dpop::{InvalidProof, ProofBinding, ProofEndpoint, ProofId};
pub use identity::{ADDRESS_SUBJECT, API_KEY_SUBJECT, Identity, Role, UnknownRole};
pub use inspect::Unverified;
pub use jwks::{JwksCache, JwksTimes};
pub use key_endpoint::InvalidJwksUrl;
pub use origin::{AllowedOrigins, InvalidOrigin};
pub use refusal::{Refusal, Refused};
pub use role_names::{InvalidRoleNames, RoleNames};
pub use rotation::{RotatingSecret, SigningSecrets};
pub use secret::{SECRET_BYTES, ShortSecret, SigningSecret};
pub use token_keys::TokenKeys;
pub use verified::Verified;
pub use verifier::{SUBJECT_BYTES, Verifier};
