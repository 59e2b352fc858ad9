use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;

use super::dead_letters::{DeadLetter, DeadLetters};
use crate::config::Times;
use crate::functions::{Function, InvokeError, Invoker};

/// Maximum number of concurrent broadcasts. Lambda runs a thousand; one machine gains nothing from more than a few.
const CONCURRENT_BROADCASTS: usize = 16;

/// The event bus and its one rule.
#[derive(Debug)]
pub(crate) struct Bus {
    functions: Arc<Invoker>,
    dead_letters: Arc<DeadLetters>,
    concurrency: Arc<Semaphore>,
    timeout: Duration,
    retry_delays: Arc<[Duration]>,
    stopped: CancellationToken,
    /// The number of events under way, including those that wait for a retry.
    under_way: watch::Sender<usize>,
}

/// Counts an event as under way for as long as it lives.
struct UnderWay(watch::Sender<usize>);

impl UnderWay {
    fn new(count: &watch::Sender<usize>) -> Self {
        count.send_modify(|count| *count += 1);
        Self(count.clone())
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

impl Bus {
    pub(crate) fn new(functions: Arc<Invoker>, times: &Times) -> Self {
        Self {
            functions,
            dead_letters: Arc::default(),
            concurrency: Arc::new(Semaphore::new(CONCURRENT_BROADCASTS)),
            timeout: times.broadcast_timeout,
            retry_delays: times.retry_delays.clone().into(),
            stopped: CancellationToken::new(),
            under_way: watch::Sender::new(0),
        }
    }

    pub(crate) fn dead_letters(&self) -> &DeadLetters {
        &self.dead_letters
    }

    /// Stops all invocations. Events that wait for a retry are lost with the process, as the bus is.
    pub(crate) fn stop(&self) {
        self.stopped.cancel();
    }

    /// Waits until no event is under way: everything published so far has reached its audience, or is a dead letter.
    pub(crate) async fn settled(&self) {
        // It fails only without a sender, and this is one.
        let _ = self.under_way.subscribe().wait_for(|count| *count == 0).await;
    }

    /// Invokes the broadcast function asynchronously, as Lambda does for EventBridge: the caller does not wait, a
    /// failure is tried twice more, and then the event is a dead letter.
    /// Source: "Understanding retry behavior in Lambda", AWS Lambda Developer Guide.
    pub(crate) fn invoke(&self, event: String) {
        let (functions, dead_letters) = (Arc::clone(&self.functions), Arc::clone(&self.dead_letters));
        let (concurrency, delays) = (Arc::clone(&self.concurrency), Arc::clone(&self.retry_delays));
        let timeout = self.timeout;
        let under_way = UnderWay::new(&self.under_way);
        let work = async move {
            let _under_way = under_way;
            let payload = Bytes::from(event);
            let mut attempts = 0;
            let error = loop {
                attempts += 1;
                let result = {
                    let Ok(_permit) = concurrency.acquire().await else { return };
                    functions.invoke(Function::Broadcast, payload.clone(), timeout).await
                };
                let error = match result {
                    Ok(_) => return,
                    Err(error) => error,
                };
                let Some(delay) = delays.get(attempts - 1) else { break error };
                tracing::warn!(%error, attempts, retry_in = ?delay, "broadcast failed");
                tokio::time::sleep(*delay).await;
            };
            let (error_code, error_message) = match error {
                InvokeError::Function { kind, message } => (kind, message),
                InvokeError::TimedOut(_) => ("TimedOut".to_owned(), error.to_string()),
                InvokeError::Throttled(_) => ("Throttled".to_owned(), error.to_string()),
                InvokeError::Unavailable(_) => ("Unavailable".to_owned(), error.to_string()),
            };
            let event = String::from_utf8_lossy(&payload).into_owned();
            dead_letters.push(DeadLetter { event, error_code, error_message, attempts });
        };
        let stopped = self.stopped.clone();
        tokio::spawn(async move { stopped.run_until_cancelled(work).await });
    }
}
