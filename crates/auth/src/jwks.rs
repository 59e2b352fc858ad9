use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use entity_stream_protocol::InvalidJson;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::Uri;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use tokio::sync::{Mutex, RwLock};
use tokio::time::{Instant, timeout};

use crate::refusal::Refusal;
use crate::verification_key::VerificationKey;

/// The largest size of a key set in bytes.
const KEY_SET_BYTES: usize = 512 * 1024;

/// The time limits and the intervals of fetches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JwksTimes {
    /// The longest wait of a connection for the issuer's keys.
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
    uri: Uri,
    client: Client<HttpsConnector<HttpConnector>, Empty<Bytes>>,
    times: JwksTimes,
    keys: RwLock<Option<Fetched>>,
    /// The last attempt. The lock is held during a fetch, so that only one fetch runs at a time.
    tried: Mutex<Option<Look>>,
}

struct Fetched {
    set: JwkSet,
    at: Instant,
}

/// One attempt to fetch keys.
#[derive(Clone, Copy)]
struct Look {
    began: Instant,
    ended: Instant,
    succeeded: bool,
}

/// The text is not a URL for keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a JWKS URL is an https URL (http only for this machine)")]
pub struct InvalidJwksUrl;

impl JwksCache {
    /// A cache of the keys at this URL. Does not fetch them yet.
    ///
    /// # Errors
    /// [`InvalidJwksUrl`] unless the URL is `https`, or `http` on this machine. An attacker who can change keys on their way
    /// could sign tokens.
    pub fn new(url: &str) -> Result<Self, InvalidJwksUrl> {
        let uri: Uri = url.parse().map_err(|_| InvalidJwksUrl)?;
        let is_local = matches!(uri.host(), Some("localhost" | "127.0.0.1" | "[::1]"));
        match uri.scheme_str() {
            Some("https") if uri.host().is_some() => {}
            Some("http") if is_local => {}
            _ => return Err(InvalidJwksUrl),
        }
        let connector = HttpsConnectorBuilder::new().with_native_roots().map_err(|_| InvalidJwksUrl)?;
        let connector = connector.https_or_http().enable_http1().build();
        Ok(Self(Arc::new(Cache {
            uri,
            client: Client::builder(TokioExecutor::new()).build(connector),
            times: JwksTimes::default(),
            keys: RwLock::new(None),
            tried: Mutex::new(None),
        })))
    }

    /// A cache with other times, for tests.
    #[must_use]
    pub fn with_times(self, times: JwksTimes) -> Self {
        let cache = &*self.0;
        Self(Arc::new(Cache {
            uri: cache.uri.clone(),
            client: cache.client.clone(),
            times,
            keys: RwLock::new(None),
            tried: Mutex::new(None),
        }))
    }

    /// The key with this id; without an id, the only key of the set.
    pub(crate) async fn key_for(&self, id: Option<&str>) -> Result<VerificationKey, Refusal> {
        if let Found::Fresh(key) = self.find(id).await {
            return Ok(key);
        }
        // Connections also wait for the renewal of old keys. Lambda freezes background work after an invocation, so a fetch in
        // the background might never end, and a withdrawn key would stay in use.
        let asked = Instant::now();
        let last = self.0.fetch().await;
        match self.find(id).await {
            Found::Fresh(key) | Found::Stale(key) => Ok(key),
            Found::Nothing if self.0.keys.read().await.is_none() => Err(Refusal::KeysUnavailable),
            // The issuer may have begun to use the key after the last look.
            Found::Nothing if !last.succeeded || last.began < asked => Err(Refusal::UnknownKeyForNow),
            Found::Nothing => Err(Refusal::UnknownKey),
        }
    }

    async fn find(&self, id: Option<&str>) -> Found {
        let keys = self.0.keys.read().await;
        let Some(fetched) = &*keys else { return Found::Nothing };
        let mut usable = fetched.set.keys.iter().filter_map(|jwk| Some((jwk, usable(jwk)?)));
        let key = match id {
            Some(id) => usable.find(|(jwk, _)| jwk.common.key_id.as_deref() == Some(id)),
            None => usable.next().filter(|_| usable.next().is_none()),
        };
        match key {
            Some((_, key)) if fetched.at.elapsed() < self.0.times.fresh => Found::Fresh(key),
            Some((_, key)) => Found::Stale(key),
            None => Found::Nothing,
        }
    }
}

enum Found {
    Fresh(VerificationKey),
    Stale(VerificationKey),
    Nothing,
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
        let result = timeout(self.times.fetch_timeout, self.get()).await;
        // The pause begins at the end of the fetch, so that waiting connections do not start the next fetch.
        let last = Look { began, ended: Instant::now(), succeeded: matches!(result, Ok(Ok(_))) };
        *tried = Some(last);
        match result {
            Ok(Ok(set)) => {
                tracing::info!(keys = set.keys.len(), "fetched the issuer's keys");
                *self.keys.write().await = Some(Fetched { set, at: Instant::now() });
            }
            Ok(Err(reason)) => tracing::warn!(reason, "could not fetch the issuer's keys"),
            Err(_) => tracing::warn!("could not fetch the issuer's keys: no answer in time"),
        }
        last
    }

    async fn get(&self) -> Result<JwkSet, String> {
        let response = self.client.get(self.uri.clone()).await.map_err(|error| error.to_string())?;
        if !response.status().is_success() {
            return Err(format!("status {}", response.status().as_u16()));
        }
        let body = Limited::new(response.into_body(), KEY_SET_BYTES).collect().await;
        let body = body.map_err(|_| "the answer broke off or is too large".to_owned())?.to_bytes();
        serde_json::from_slice(&body).map_err(|error| format!("not a key set: {}", InvalidJson::new(&error)))
    }
}

impl fmt::Debug for JwksCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JwksCache({:?})", self.0.uri.host())
    }
}

/// A key that verifies signatures, with the algorithms of its type, or with the algorithm that it names. Symmetric keys are
/// ignored, because a key in a public set is not a secret.
fn usable(jwk: &Jwk) -> Option<VerificationKey> {
    if matches!(jwk.common.public_key_use, Some(PublicKeyUse::Encryption)) {
        return None;
    }
    let of_type = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => vec![
            Algorithm::RS256,
            Algorithm::RS384,
            Algorithm::RS512,
            Algorithm::PS256,
            Algorithm::PS384,
            Algorithm::PS512,
        ],
        AlgorithmParameters::EllipticCurve(parameters) => match parameters.curve {
            EllipticCurve::P256 => vec![Algorithm::ES256],
            EllipticCurve::P384 => vec![Algorithm::ES384],
            _ => return None,
        },
        AlgorithmParameters::OctetKeyPair(parameters) if parameters.curve == EllipticCurve::Ed25519 => {
            vec![Algorithm::EdDSA]
        }
        _ => return None,
    };
    let algorithms = match jwk.common.key_algorithm {
        None => of_type,
        Some(named) => of_type.into_iter().filter(|algorithm| KeyAlgorithm::from(*algorithm) == named).collect(),
    };
    let key = DecodingKey::from_jwk(jwk).ok()?;
    (!algorithms.is_empty()).then_some(VerificationKey { key, algorithms })
}
