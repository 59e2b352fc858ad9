use entity_stream_auth::{ClaimPath, ClaimPaths, JwksCache, RoleNames, SigningSecret};

use super::fault::{ConfigFault, InvalidConfig};
use super::reader::Reader;
use crate::environment::{
    AUTH_ENABLED, Environment, JWT_AUDIENCE, JWT_ISSUER, JWT_JWKS_URL, JWT_ROLE_CLAIM, JWT_ROLES, JWT_SECRET,
    JWT_SECRET_ARN, JWT_TENANT_CLAIMS, Variable,
};

/// The variables of which exactly one names the keys. Without any of them, `JWT_ISSUER` does.
const KEY_SOURCES: [Variable; 3] = [JWT_SECRET, JWT_SECRET_ARN, JWT_JWKS_URL];

/// The rules for tokens.
#[derive(Clone, Debug)]
pub struct TokenConfig {
    /// The keys that verify signatures.
    pub keys: KeySource,
    /// The only issuer whose tokens are accepted.
    pub issuer: Option<String>,
    /// The only audiences whose tokens are accepted; any if there is none.
    pub audiences: Vec<String>,
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
    /// An identity provider publishes the keys, at a URL or by discovery.
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
        let has_keys = KEY_SOURCES.iter().chain([&JWT_ISSUER]).any(|source| reader.text(*source).is_some());
        if !enabled.as_ref().copied().unwrap_or(has_keys) {
            return enabled.map(|_| None);
        }
        let keys = key_source(reader);
        let (issuer, audiences) = (reader.text(JWT_ISSUER), reader.list(JWT_AUDIENCE));
        let claims = claims(reader);
        enabled?;
        Ok(Some(Self { keys: keys?, issuer, audiences: audiences?, claims: claims? }))
    }
}

/// Reads exactly one of the sources. A second source is a fault, because it would be unclear which keys count.
fn key_source(reader: &mut Reader<'_>) -> Result<KeySource, ConfigFault> {
    let found: Vec<_> = KEY_SOURCES.into_iter().filter(|source| reader.text(*source).is_some()).collect();
    if found.is_empty() && reader.text(JWT_ISSUER).is_some() {
        return reader.required(JWT_ISSUER, |issuer| JwksCache::discover(&issuer).ok()).map(KeySource::Jwks);
    }
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
///
/// # Errors
/// [`InvalidConfig`] if the names of roles are malformed.
pub fn claim_paths(environment: &Environment) -> Result<ClaimPaths, InvalidConfig> {
    let mut reader = Reader::new(environment);
    let claims = claims(&mut reader);
    reader.finish(|| claims)
}

/// Reads the audiences whose tokens are accepted; none if every audience is.
///
/// # Errors
/// [`InvalidConfig`] if the list is malformed.
pub fn audiences(environment: &Environment) -> Result<Vec<String>, InvalidConfig> {
    let mut reader = Reader::new(environment);
    let audiences = reader.list(JWT_AUDIENCE);
    reader.finish(|| audiences)
}

fn claims(reader: &mut Reader<'_>) -> Result<ClaimPaths, ConfigFault> {
    let default = ClaimPaths::default();
    let named = reader.list(JWT_TENANT_CLAIMS);
    let roles = reader.optional(JWT_ROLES, |list| RoleNames::parse(&list).ok());
    let named: Vec<_> = named?.into_iter().map(ClaimPath::new).collect();
    Ok(ClaimPaths {
        tenant: if named.is_empty() { default.tenant } else { named },
        role: reader.text(JWT_ROLE_CLAIM).map_or(default.role, ClaimPath::new),
        roles: roles?.unwrap_or_default(),
    })
}
