//! A signing secret that changes while the function runs.
//!
//! Invariants:
//! - Tokens of the current secret and of the one before it are valid. Tokens of all others are refused.
//! - One request at a time reads the secrets, and none does while they are fresh. Other requests use the known secrets.
//! - If a read fails, the known secrets stay in use.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use entity_stream_protocol::EpochMillis;
use futures_util::future::BoxFuture;
use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::secret::SigningSecret;

/// The age at which secrets are read again. With a failed read and its pause, a new secret is known within five minutes.
const FRESH: Duration = Duration::from_secs(4 * 60);
/// The pause after a read that failed.
const COOL_DOWN: Duration = Duration::from_secs(30);
/// The longest wait of a request for a read.
const READ_TIMEOUT: Duration = Duration::from_secs(3);

/// The secrets whose tokens are valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SigningSecrets {
    /// The secret that signs new tokens.
    pub current: SigningSecret,
    /// The secret before it, whose tokens are valid during a rotation.
    pub previous: Option<SigningSecret>,
}

/// Reads the secrets. The error is the reason for the log, and holds no secret.
type ReadSecrets = dyn Fn() -> BoxFuture<'static, Result<SigningSecrets, String>> + Send + Sync;

/// The secrets, which are read again every few minutes.
#[derive(Clone)]
pub struct RotatingSecret(Arc<Rotation>);

struct Rotation {
    read: Box<ReadSecrets>,
    known: RwLock<KnownSecrets>,
    /// Held by the request that reads.
    reading: Mutex<()>,
}

#[derive(Clone)]
struct KnownSecrets {
    secrets: SigningSecrets,
    read_again_at: EpochMillis,
}

impl KnownSecrets {
    /// False also if the clock was set back by more than a moment.
    fn are_fresh(&self, now: EpochMillis) -> bool {
        now < self.read_again_at && self.read_again_at <= now.plus(FRESH + COOL_DOWN)
    }
}

impl RotatingSecret {
    /// Secrets that were read at `now`, and the function that reads them again.
    pub fn new(
        secrets: SigningSecrets,
        now: EpochMillis,
        read: impl Fn() -> BoxFuture<'static, Result<SigningSecrets, String>> + Send + Sync + 'static,
    ) -> Self {
        let known = RwLock::new(KnownSecrets { secrets, read_again_at: now.plus(FRESH) });
        Self(Arc::new(Rotation { read: Box::new(read), known, reading: Mutex::new(()) }))
    }

    /// The secrets in force. Reads them first if that is due: Lambda freezes background work after an invocation.
    pub(crate) async fn secrets(&self, now: EpochMillis) -> SigningSecrets {
        let known = self.0.known();
        if known.are_fresh(now) {
            return known.secrets;
        }
        let Ok(_reading) = self.0.reading.try_lock() else { return known.secrets };
        // Another request may have read them since.
        let known = self.0.known();
        if known.are_fresh(now) {
            return known.secrets;
        }
        let result =
            timeout(READ_TIMEOUT, (self.0.read)()).await.unwrap_or_else(|_| Err("no answer in time".to_owned()));
        let known = match result {
            Ok(secrets) => {
                if secrets != known.secrets {
                    tracing::info!("the signing secret has changed");
                }
                KnownSecrets { secrets, read_again_at: now.plus(FRESH) }
            }
            Err(reason) => {
                tracing::warn!(reason, "could not read the signing secret again; the known one stays in use");
                KnownSecrets { secrets: known.secrets, read_again_at: now.plus(COOL_DOWN) }
            }
        };
        *self.0.known.write().unwrap_or_else(PoisonError::into_inner) = known.clone();
        known.secrets
    }
}

impl Rotation {
    fn known(&self) -> KnownSecrets {
        self.known.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl fmt::Debug for RotatingSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RotatingSecret(…)")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::FutureExt;
    use futures_util::future::join_all;
    use tokio::sync::Semaphore;

    use super::*;

    fn secrets(number: usize) -> SigningSecrets {
        let secret = |number: usize| SigningSecret::new(format!("{number:0>40}")).unwrap();
        SigningSecrets { current: secret(number), previous: number.checked_sub(1).map(secret) }
    }

    /// Secrets whose reads wait for a permit, return one version after the other, and fail on demand.
    fn rotating(permits: usize, fails: bool) -> (RotatingSecret, Arc<AtomicUsize>, Arc<Semaphore>) {
        let (reads, gate) = (Arc::new(AtomicUsize::new(0)), Arc::new(Semaphore::new(permits)));
        let (counted, waits) = (Arc::clone(&reads), Arc::clone(&gate));
        let read = move || {
            let (counted, waits) = (Arc::clone(&counted), Arc::clone(&waits));
            async move {
                let number = counted.fetch_add(1, Ordering::SeqCst) + 1;
                waits.acquire().await.unwrap().forget();
                if fails { Err("denied".to_owned()) } else { Ok(secrets(number)) }
            }
            .boxed()
        };
        (RotatingSecret::new(secrets(0), EpochMillis::new(0), read), reads, gate)
    }

    fn at(seconds: u64) -> EpochMillis {
        EpochMillis::from_seconds(seconds)
    }

    #[tokio::test]
    async fn fresh_secrets_are_not_read_again() {
        let (rotating, reads, _) = rotating(10, false);
        for second in 0..FRESH.as_secs() {
            assert_eq!(rotating.secrets(at(second)).await, secrets(0));
        }
        assert_eq!(reads.load(Ordering::SeqCst), 0);
        assert_eq!(rotating.secrets(at(240)).await, secrets(1));
        assert_eq!(rotating.secrets(at(479)).await, secrets(1));
        assert_eq!(reads.load(Ordering::SeqCst), 1);
        assert_eq!(rotating.secrets(at(100)).await, secrets(2), "the clock was set back");
    }

    #[tokio::test]
    async fn one_request_reads_and_the_others_use_the_known_secrets() {
        let (rotating, reads, gate) = rotating(0, false);
        let mut reader = Box::pin(rotating.secrets(at(240)));
        assert!((&mut reader).now_or_never().is_none(), "it waits for the read");
        let others = join_all((0..100).map(|_| rotating.secrets(at(240)))).await;
        assert!(others.into_iter().all(|known| known == secrets(0)));
        gate.add_permits(1);
        assert_eq!(reader.await, secrets(1));
        assert_eq!((rotating.secrets(at(240)).await, reads.load(Ordering::SeqCst)), (secrets(1), 1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_failed_read_leaves_the_known_secrets_and_is_repeated_after_a_pause() {
        let (failing, reads, _) = rotating(10, true);
        for second in [240, 241, 269] {
            assert_eq!(failing.secrets(at(second)).await, secrets(0));
        }
        assert_eq!(reads.load(Ordering::SeqCst), 1);
        assert_eq!(failing.secrets(at(270)).await, secrets(0));
        assert_eq!(reads.load(Ordering::SeqCst), 2);
        // A read that is not answered ends.
        let (stuck, reads, gate) = rotating(0, false);
        assert_eq!(stuck.secrets(at(240)).await, secrets(0));
        gate.add_permits(1);
        assert_eq!((stuck.secrets(at(270)).await, reads.load(Ordering::SeqCst)), (secrets(2), 2));
    }
}
