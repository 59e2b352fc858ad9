use entity_stream_auth::{ClaimPath, ClaimPaths, JwksCache, SigningSecret};

use super::fault::{ConfigFault, InvalidConfig};
use super::reader::Reader;
use crate::environment::{
    AUTH_ENABLED, Environment, JWT_AUDIENCE, JWT_ISSUER, JWT_JWKS_URL, JWT_ROLE_CLAIM, JWT_SECRET, JWT_SECRET_ARN,
    JWT_TENANT_CLAIMS, Variable,
};

/// The variables of which exactly one names the keys.
const KEY_SOURCES: [Variable; 3] = [JWT_SECRET, JWT_SECRET_ARN, JWT_JWKS_URL];

/// The rules for tokens.
#[derive(Clone, Debug)]
pub struct TokenConfig {
    /// The keys that verify signatures.
    pub keys: KeySource,
    /// The only issuer whose tokens are accepted.
    pub issuer: Option<String>,
    /// The only audience whose tokens are accepted.
    pub audience: Option<String>,
    /// The claims that hold the tenant and the role.
    pub claims: ClaimPaths,
}

/// The place of the keys that verify signatures.
#[derive(Clone, Debug)]
pub enum KeySource {
    /// `JWT_SECRET` holds the secret.
    Secret(SigningSecret),
    /// Secrets Manager holds the secret under this ARN.
    SecretArn(String),
    /// An identity provider publishes the keys.
    Jwks(JwksCache),
}

impl TokenConfig {
    /// Reads the rules; `None` while `AUTH_ENABLED` is `false`.
    ///
    /// # Errors
    /// [`InvalidConfig`] lists every variable that is missing or malformed.
    pub fn read(environment: &Environment) -> Result<Option<Self>, InvalidConfig> {
        let mut reader = Reader::new(environment);
        let enabled = reader.flag(AUTH_ENABLED);
        let tokens = Self::read_with(&mut reader, enabled);
        reader.finish(|| tokens)
    }

    pub(super) fn read_with(
        reader: &mut Reader<'_>,
        enabled: Result<bool, ConfigFault>,
    ) -> Result<Option<Self>, ConfigFault> {
        // Without a valid flag, the other variables are judged only if the deployment sets one of the keys.
        let has_keys = KEY_SOURCES.iter().any(|source| reader.text(*source).is_some());
        if !enabled.as_ref().copied().unwrap_or(has_keys) {
            return enabled.map(|_| None);
        }
        let keys = key_source(reader);
        let (issuer, audience) = (reader.text(JWT_ISSUER), reader.text(JWT_AUDIENCE));
        let claims = claims(reader);
        enabled?;
        Ok(Some(Self { keys: keys?, issuer, audience, claims }))
    }
}

/// Reads exactly one of the sources. A second source is a fault, because it would be unclear which keys count.
fn key_source(reader: &mut Reader<'_>) -> Result<KeySource, ConfigFault> {
    let found: Vec<_> = KEY_SOURCES.into_iter().filter(|source| reader.text(*source).is_some()).collect();
    if found.len() != 1 {
        return Err(reader.fault(ConfigFault::NotExactlyOne { expected: KEY_SOURCES.to_vec(), found }));
    }
    let secret = reader.optional(JWT_SECRET, |secret| SigningSecret::new(secret).ok())?.map(KeySource::Secret);
    let arn = reader.optional(JWT_SECRET_ARN, Some)?.map(KeySource::SecretArn);
    match secret.or(arn) {
        Some(source) => Ok(source),
        None => reader.required(JWT_JWKS_URL, |url| JwksCache::new(&url).ok()).map(KeySource::Jwks),
    }
}

/// Reads the claims that hold the tenant and the role.
pub fn claim_paths(environment: &Environment) -> ClaimPaths {
    claims(&Reader::new(environment))
}

fn claims(reader: &Reader<'_>) -> ClaimPaths {
    let default = ClaimPaths::default();
    let list = reader.text(JWT_TENANT_CLAIMS).unwrap_or_default();
    let named: Vec<_> = list.split(',').map(str::trim).filter(|path| !path.is_empty()).map(ClaimPath::new).collect();
    ClaimPaths {
        tenant: if named.is_empty() { default.tenant } else { named },
        role: reader.text(JWT_ROLE_CLAIM).map_or(default.role, ClaimPath::new),
    }
}
