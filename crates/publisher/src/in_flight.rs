use std::num::NonZeroUsize;
use std::time::Duration;

use tokio::task::{JoinError, JoinSet};
use tokio::time::Instant;

use crate::batch::Batch;
use crate::entry::BusEntry;
use crate::error::PublishError;
use crate::publisher::Publisher;

/// Entries with their results: the event's id, or the reason why the bus does not have the event.
pub type Settled<T> = Vec<(T, Result<String, PublishError>)>;

/// Batches on their way to the bus, a limited number at a time. With a limit of one, events are published in their order.
///
/// Invariant: every entry of a batch that was sent is returned once, with its result.
#[derive(Debug)]
pub struct InFlight<T = BusEntry> {
    publisher: Publisher,
    limit: NonZeroUsize,
    timeout: Duration,
    requests: JoinSet<Settled<T>>,
    /// Results that were not returned yet. They survive a call that was dropped.
    settled: Settled<T>,
}

impl<T: AsRef<BusEntry> + Send + Sync + 'static> InFlight<T> {
    /// At most `limit` batches at a time. Each batch has `timeout` from its first attempt.
    pub fn new(publisher: Publisher, limit: NonZeroUsize, timeout: Duration) -> Self {
        Self { publisher, limit, timeout, requests: JoinSet::new(), settled: Vec::new() }
    }

    /// Sends a batch. If the limit is reached, waits until an earlier batch has ended. Returns the results of the batches
    /// that have ended. If the call is dropped, the batch is not sent.
    pub async fn send(&mut self, batch: Batch<T>) -> Settled<T> {
        while self.requests.len() >= self.limit.get() {
            self.settle_one().await;
        }
        if !batch.is_empty() {
            let (publisher, timeout) = (self.publisher.clone(), self.timeout);
            self.requests.spawn(async move {
                let entries = batch.into_entries();
                let results = publisher.publish(&entries, Instant::now() + timeout).await;
                entries.into_iter().zip(results).collect()
            });
        }
        while let Some(result) = self.requests.try_join_next() {
            self.settled.extend(joined(result));
        }
        std::mem::take(&mut self.settled)
    }

    /// Waits until one batch has ended, and returns its results; nothing if no batch is on its way. May be dropped and
    /// called again.
    pub async fn next(&mut self) -> Settled<T> {
        if self.settled.is_empty() {
            self.settle_one().await;
        }
        std::mem::take(&mut self.settled)
    }

    /// True if no batch is under way and all results were returned.
    pub fn is_idle(&self) -> bool {
        self.requests.is_empty() && self.settled.is_empty()
    }

    async fn settle_one(&mut self) {
        if let Some(result) = self.requests.join_next().await {
            self.settled.extend(joined(result));
        }
    }
}

/// The result of a task. A panic in the task goes on in its owner. No task is ever aborted while its owner waits.
fn joined<T>(result: Result<Settled<T>, JoinError>) -> Settled<T> {
    match result.map_err(JoinError::try_into_panic) {
        Ok(settled) => settled,
        Err(Ok(panic)) => std::panic::resume_unwind(panic),
        Err(Err(_)) => Vec::new(),
    }
}
