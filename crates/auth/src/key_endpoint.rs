//! Fetches the public keys of an issuer: from the URL of the keys, or from the one that the issuer's OpenID Connect configuration
//! names.

use std::fmt;

use bytes::Bytes;
use entity_stream_protocol::InvalidJson;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::Uri;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde::Deserialize;

use crate::key_set::KeySet;

/// The largest size of a key set or of a configuration in bytes.
const ANSWER_BYTES: usize = 512 * 1024;

/// The path of an issuer's configuration below the issuer.
/// Source: OpenID Connect Discovery 1.0, section 4.
const CONFIGURATION: &str = "/.well-known/openid-configuration";

/// The text is not a URL for keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a JWKS URL or an issuer whose keys are discovered is an https URL (http only for this machine)")]
pub struct InvalidJwksUrl;

/// The place where an issuer publishes its keys.
pub(crate) struct KeyEndpoint {
    place: Place,
    client: Client<HttpsConnector<HttpConnector>, Empty<Bytes>>,
}

enum Place {
    Keys(Uri),
    /// The issuer, as its tokens name it, and the URL of its configuration.
    Issuer {
        issuer: String,
        configuration: Uri,
    },
}

/// The part of an issuer's configuration that counts.
#[derive(Deserialize)]
struct Configuration {
    issuer: String,
    jwks_uri: String,
}

impl KeyEndpoint {
    /// The endpoint with this URL of the keys.
    pub(crate) fn of_keys(url: &str) -> Result<Self, InvalidJwksUrl> {
        Self::new(Place::Keys(secure(url).ok_or(InvalidJwksUrl)?))
    }

    /// The endpoint that the configuration of this issuer names.
    pub(crate) fn of_issuer(issuer: &str) -> Result<Self, InvalidJwksUrl> {
        let is_plain = secure(issuer).is_some() && !issuer.contains(['?', '#']);
        let configuration = format!("{}{CONFIGURATION}", issuer.strip_suffix('/').unwrap_or(issuer));
        let configuration = secure(&configuration).filter(|_| is_plain).ok_or(InvalidJwksUrl)?;
        Self::new(Place::Issuer { issuer: issuer.to_owned(), configuration })
    }

    fn new(place: Place) -> Result<Self, InvalidJwksUrl> {
        let connector = HttpsConnectorBuilder::new().with_native_roots().map_err(|_| InvalidJwksUrl)?;
        let connector = connector.https_or_http().enable_http1().build();
        Ok(Self { place, client: Client::builder(TokioExecutor::new()).build(connector) })
    }

    /// Fetches the keys. The error is the reason for the log.
    pub(crate) async fn fetch(&self) -> Result<KeySet, String> {
        let keys = match &self.place {
            Place::Keys(uri) => uri.clone(),
            Place::Issuer { issuer, configuration } => self.discover(issuer, configuration).await?,
        };
        let body = self.get(keys).await?;
        let set = KeySet::parse(&body).map_err(|error| format!("not a key set: {}", InvalidJson::new(&error)))?;
        // Without this rule, an issuer that publishes an empty set for a moment would make every token invalid for an hour.
        if set.len() == 0 { Err("the key set has no key that verifies signatures".to_owned()) } else { Ok(set) }
    }

    /// Finds the URL of the keys of an issuer.
    async fn discover(&self, issuer: &str, configuration: &Uri) -> Result<Uri, String> {
        let body = self.get(configuration.clone()).await?;
        let found: Configuration = serde_json::from_slice(&body)
            .map_err(|error| format!("not an OpenID Connect configuration: {}", InvalidJson::new(&error)))?;
        // Source: OpenID Connect Discovery 1.0, section 4.3.
        if found.issuer != issuer {
            return Err(
                "the OpenID Connect configuration is of another issuer; write JWT_ISSUER exactly as it does".to_owned()
            );
        }
        let keys = secure(&found.jwks_uri).filter(|keys| keys.scheme() == configuration.scheme() || is_https(keys));
        keys.ok_or_else(|| "the jwks_uri of the OpenID Connect configuration is not an https URL".to_owned())
    }

    async fn get(&self, uri: Uri) -> Result<Bytes, String> {
        let response = self.client.get(uri).await.map_err(|error| error.to_string())?;
        if !response.status().is_success() {
            return Err(format!("status {}", response.status().as_u16()));
        }
        let body = Limited::new(response.into_body(), ANSWER_BYTES).collect().await;
        Ok(body.map_err(|_| "the answer broke off or is too large".to_owned())?.to_bytes())
    }
}

impl fmt::Debug for KeyEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Place::Keys(uri) | Place::Issuer { configuration: uri, .. }) = &self.place;
        write!(f, "KeyEndpoint({:?})", uri.host())
    }
}

/// A URL whose answers nobody can change on their way: `https`, or `http` on this machine. An attacker who can change keys could
/// sign tokens.
fn secure(url: &str) -> Option<Uri> {
    let uri: Uri = url.parse().ok()?;
    let is_local = matches!(uri.host(), Some("localhost" | "127.0.0.1" | "[::1]"));
    let is_http = uri.scheme_str() == Some("http");
    ((is_https(&uri) && uri.host().is_some()) || (is_http && is_local)).then_some(uri)
}

fn is_https(uri: &Uri) -> bool {
    uri.scheme_str() == Some("https")
}
