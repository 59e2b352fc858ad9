//! The public keys of an issuer, fetched when they are needed.
//!
//! Invariant: a token gets a final refusal for its key or its signature only if the keys were fetched after the token came. In all
//! other cases the client is to try again, because the issuer may have begun to use another key, even under a known `kid`.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use entity_stream_protocol::AccessToken;
use jsonwebtoken::{Algorithm, Header};
use serde_json::{Map, Value};
use tokio::sync::{Mutex, RwLock};
use tokio::time::{Instant, timeout};

use crate::key_endpoint::{InvalidJwksUrl, KeyEndpoint};
use crate::key_set::KeySet;
use crate::refusal::Refusal;

/// The time limits and the intervals of fetches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JwksTimes {
    /// The longest wait of a connection for the issuer's keys, their discovery included.
    pub fetch_timeout: Duration,
    /// The age at which keys are fetched again, so that withdrawn keys are noticed.
    pub fresh: Duration,
    /// The pause after each attempt to fetch keys. A flood of made-up key ids costs only one fetch, and an endpoint that is
    /// down delays only one connection.
    pub cool_down: Duration,
    /// The pause as long as there have never been any keys and every token is refused.
    pub first_cool_down: Duration,
}

impl Default for JwksTimes {
    /// The defaults: 3 seconds, an hour, 30 seconds and one second.
    fn default() -> Self {
        Self {
            fetch_timeout: Duration::from_secs(3),
            fresh: Duration::from_secs(60 * 60),
            cool_down: Duration::from_secs(30),
            first_cool_down: Duration::from_secs(1),
        }
    }
}

/// An issuer's public keys. The cache fetches them when they are first needed. While the endpoint is down, the last keys stay in
/// use.
#[derive(Clone)]
pub struct JwksCache(Arc<Cache>);

struct Cache {
    endpoint: Arc<KeyEndpoint>,
    times: JwksTimes,
    keys: RwLock<Option<Arc<Fetched>>>,
    /// The last attempt. The lock is held during a fetch, so that only one fetch runs at a time.
    tried: Mutex<Option<Look>>,
}

struct Fetched {
    set: KeySet,
    at: Instant,
}

/// One attempt to fetch keys.
#[derive(Clone, Copy)]
struct Look {
    began: Instant,
    ended: Instant,
    succeeded: bool,
}

impl JwksCache {
    /// A cache of the keys at this URL. Does not fetch them yet.
    ///
    /// # Errors
    /// [`InvalidJwksUrl`] unless the URL is `https`, or `http` on this machine. An attacker who can change keys on their way
    /// could sign tokens.
    pub fn new(url: &str) -> Result<Self, InvalidJwksUrl> {
        Ok(Self::of(KeyEndpoint::of_keys(url)?.into(), JwksTimes::default()))
    }

    /// A cache of the keys that the OpenID Connect configuration of this issuer names. Each fetch of the keys begins with the
    /// configuration. Does not fetch them yet.
    ///
    /// # Errors
    /// As for [`JwksCache::new`].
    pub fn discover(issuer: &str) -> Result<Self, InvalidJwksUrl> {
        Ok(Self::of(KeyEndpoint::of_issuer(issuer)?.into(), JwksTimes::default()))
    }

    /// A cache with other times, for tests.
    #[must_use]
    pub fn with_times(self, times: JwksTimes) -> Self {
        Self::of(Arc::clone(&self.0.endpoint), times)
    }

    fn of(endpoint: Arc<KeyEndpoint>, times: JwksTimes) -> Self {
        Self(Arc::new(Cache { endpoint, times, keys: RwLock::new(None), tried: Mutex::new(None) }))
    }

    /// The claims of a token with this header, if one of the keys verifies its signature.
    pub(crate) async fn claims(&self, token: &AccessToken, header: &Header) -> Result<Map<String, Value>, Refusal> {
        if matches!(header.alg, Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512) {
            return Err(Refusal::Algorithm);
        }
        let known = self.0.keys.read().await.clone();
        let fresh = known.as_ref().filter(|known| known.at.elapsed() < self.0.times.fresh);
        let unsure = match fresh.map(|known| known.set.claims(token, header)) {
            Some(Ok(claims)) => return Ok(claims),
            // No key makes such a token valid.
            Some(Err(Refusal::MalformedCredential)) => return Err(Refusal::MalformedCredential),
            Some(Err(unsure)) => Some(unsure),
            None => None,
        };
        // Connections also wait for the renewal of old keys. Lambda freezes background work after an invocation, so a fetch in
        // the background might never end, and a withdrawn key would stay in use.
        let asked = Instant::now();
        let last = self.0.fetch().await;
        let Some(present) = self.0.keys.read().await.clone() else { return Err(Refusal::KeysUnavailable) };
        let verdict = match unsure {
            // The keys are the same, so the verdict is.
            Some(unsure) if known.is_some_and(|known| Arc::ptr_eq(&known, &present)) => Err(unsure),
            _ => present.set.claims(token, header),
        };
        let is_late = last.succeeded && last.began >= asked;
        verdict.map_err(|reason| match reason {
            Refusal::MalformedCredential => reason,
            _ if is_late => reason,
            _ => Refusal::UnknownKeyForNow,
        })
    }
}

impl Cache {
    /// Fetches the keys, unless the last attempt was a moment ago. Returns the last attempt.
    async fn fetch(&self) -> Look {
        let mut tried = self.tried.lock().await;
        let is_first = self.keys.read().await.is_none();
        let cool_down = if is_first { self.times.first_cool_down } else { self.times.cool_down };
        if let Some(last) = tried.filter(|last| last.ended.elapsed() < cool_down) {
            return last;
        }
        let began = Instant::now();
        let result = timeout(self.times.fetch_timeout, self.endpoint.fetch()).await;
        // The pause begins at the end of the fetch, so that waiting connections do not start the next fetch.
        let last = Look { began, ended: Instant::now(), succeeded: matches!(result, Ok(Ok(_))) };
        *tried = Some(last);
        match result {
            Ok(Ok(set)) => {
                tracing::info!(keys = set.len(), "fetched the issuer's keys");
                *self.keys.write().await = Some(Arc::new(Fetched { set, at: Instant::now() }));
            }
            Ok(Err(reason)) => tracing::warn!(reason, "could not fetch the issuer's keys"),
            Err(_) => tracing::warn!("could not fetch the issuer's keys: no answer in time"),
        }
        last
    }
}

impl fmt::Debug for JwksCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JwksCache({:?})", self.0.endpoint)
    }
}
