//! The tokens of a program, and how long they last.

use std::any::type_name;
use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use entity_stream_protocol::AccessToken;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde::Deserialize;
use tokio::time::timeout;

use crate::credential::ClientCredential;
use crate::dpop_key::DpopKey;
use crate::error::ClientError;
use crate::renewal::FreshToken;

type Fetch = dyn Fn() -> BoxFuture<'static, Result<String, &'static str>> + Send + Sync;

/// The function of a program that returns tokens.
#[derive(Clone)]
pub(crate) struct TokenSource {
    fetch: Arc<Fetch>,
    /// The key to which the tokens are bound.
    key: Option<Arc<DpopKey>>,
}

impl TokenSource {
    pub(crate) fn new<F, T, E>(source: F, key: Option<DpopKey>) -> Self
    where
        F: Fn() -> T + Send + Sync + 'static,
        T: Future<Output = Result<String, E>> + Send + 'static,
        E: fmt::Display,
    {
        let fetch = move || {
            let token = source();
            // The text of an error may have the URL of the request, or the token.
            async move { token.await.map_err(|_| type_name::<E>()) }.boxed()
        };
        Self { fetch: Arc::new(fetch), key: key.map(Arc::new) }
    }

    /// True if the tokens are bound to a key.
    pub(crate) fn is_bound(&self) -> bool {
        self.key.is_some()
    }

    /// Fetches a token.
    ///
    /// # Errors
    /// [`ClientError::TokenUnavailable`] if the function failed, and [`ClientError::Credential`] if the text is no token.
    pub(crate) async fn fetch(&self) -> Result<SourcedToken, ClientError> {
        let text = (self.fetch)().await.map_err(ClientError::TokenUnavailable)?;
        let credential = match &self.key {
            None => ClientCredential::token(&text)?,
            Some(key) => ClientCredential::token_of_key(&text, Arc::clone(key))?,
        };
        let token = AccessToken::new(text.trim()).ok_or(crate::credential::InvalidCredential::Token)?;
        Ok(SourcedToken { credential, token })
    }
}

impl fmt::Debug for TokenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenSource")
    }
}

/// A token of the source.
#[derive(Clone, Debug)]
pub(crate) struct SourcedToken {
    pub(crate) credential: ClientCredential,
    pub(crate) token: AccessToken,
}

/// The memory of the tokens of a stream.
#[derive(Debug, Default)]
pub(crate) struct TokenMemory(Mutex<Remembered>);

#[derive(Debug, Default)]
struct Remembered {
    last: Option<AccessToken>,
    /// The time by which the clock of this machine is behind at least.
    lag: Duration,
}

impl TokenMemory {
    /// The token that was sent last.
    pub(crate) fn last(&self) -> Option<AccessToken> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).last.clone()
    }

    /// A token is sent.
    pub(crate) fn send(&self, token: &AccessToken) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).last = Some(token.clone());
    }

    /// The time for which a token is valid, never more than its whole life. `None` if the token does not tell.
    pub(crate) fn left(&self, token: &AccessToken) -> Option<Duration> {
        let mut remembered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        left(&claims(token.expose())?, time_of_day(), &mut remembered.lag)
    }
}

/// Fetches a token for an open connection, within a time, with the proof for this URL. `None` if it is the one that the connection
/// holds: many caches return the same token until shortly before its end.
pub(crate) async fn fresh_token(
    source: TokenSource,
    memory: Arc<TokenMemory>,
    (url, held): (String, Option<AccessToken>),
    limit: Duration,
) -> Result<Option<FreshToken>, ClientError> {
    let late = |_| ClientError::TokenUnavailable("it returned nothing in time");
    let SourcedToken { credential, token } = timeout(limit, source.fetch()).await.map_err(late)??;
    if held.as_ref() == Some(&token) {
        return Ok(None);
    }
    memory.send(&token);
    let proof = credential.prove(&url)?;
    let left = memory.left(&token);
    Ok(Some(FreshToken { token, proof, left }))
}

#[derive(Debug, Default, Deserialize)]
struct TokenTimes {
    exp: Option<f64>,
    iat: Option<f64>,
}

/// The times of a token. The server verifies it; the client only wants to know when to renew it.
fn claims(token: &str) -> Option<TokenTimes> {
    let payload = token.split('.').nth(1)?.trim_end_matches('=');
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()
}

/// The life of a token does not depend on the clock of this machine. A token from the future proves that the clock is behind. A
/// token that is over by this clock has just been issued, and the clock is ahead.
fn left(times: &TokenTimes, now: Duration, lag: &mut Duration) -> Option<Duration> {
    let seconds = |seconds: f64| Duration::try_from_secs_f64(seconds.max(0.0)).ok();
    let end = seconds(times.exp?)?;
    let issued = times.iat.and_then(seconds);
    let life = issued.and_then(|issued| end.checked_sub(issued)).filter(|life| !life.is_zero());
    *lag = (*lag).max(issued.unwrap_or_default().saturating_sub(now));
    match (end.checked_sub(now + *lag).filter(|left| !left.is_zero()), life) {
        (None, life) => life,
        (Some(left), life) => Some(life.map_or(left, |life| left.min(life))),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "tokens have times of day; the whole life of the token bounds the result"
)]
fn time_of_day() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(1_000_000);

    /// The rest of the life of a token that was issued so many seconds from now, for a clock with this lag.
    fn of(behind: f64, life: f64, lag: &mut Duration) -> Option<Duration> {
        let iat = NOW.as_secs_f64() + behind;
        left(&TokenTimes { iat: Some(iat), exp: Some(iat + life) }, NOW, lag)
    }

    #[test]
    fn a_token_lasts_for_its_life_whatever_the_clock_says() {
        let minute = Some(Duration::from_secs(60));
        for behind in [0.0, 70.0, 600.0, -600.0] {
            let mut lag = Duration::ZERO;
            assert_eq!(of(behind, 60.0, &mut lag), minute, "{behind}");
        }
        let mut lag = Duration::ZERO;
        assert_eq!(of(-20.0, 60.0, &mut lag), Some(Duration::from_secs(40)));
        of(70.0, 60.0, &mut lag);
        assert_eq!(of(40.0, 60.0, &mut lag), Some(Duration::from_secs(30)), "the lag is remembered");
    }

    #[test]
    fn a_token_without_times_tells_nothing() {
        assert!(claims("opaque").is_none());
        assert!(claims("a.!.c").is_none());
        let payload = URL_SAFE_NO_PAD.encode("{}");
        let mut lag = Duration::ZERO;
        assert_eq!(left(&claims(&format!("a.{payload}.c")).unwrap(), NOW, &mut lag), None);
    }

    #[tokio::test]
    async fn errors_do_not_repeat_a_token() {
        let source = TokenSource::new(|| async { Ok::<_, String>("Bearer secret".to_owned()) }, None);
        let error = source.fetch().await.unwrap_err();
        assert!(!format!("{error:?} {error}").contains("secret"));
        let source = TokenSource::new(|| async { Err::<String, _>("https://login?code=secret".to_owned()) }, None);
        assert_eq!(source.fetch().await.unwrap_err().to_string(), "the token source failed: alloc::string::String");
    }
}
