use std::num::NonZeroUsize;

use anyhow::Context;
use tokio::task::JoinSet;

use super::{Batch, Entry, Outcome, Publisher};

type Sent = anyhow::Result<Vec<(Entry, Outcome)>>;

/// Batches on their way to the bus, a limited number at a time. With a limit of one, events go out in their order.
#[derive(Debug)]
pub(crate) struct InFlight {
    publisher: Publisher,
    limit: NonZeroUsize,
    requests: JoinSet<Sent>,
}

impl InFlight {
    pub(crate) fn new(publisher: Publisher, limit: NonZeroUsize) -> Self {
        Self { publisher, limit, requests: JoinSet::new() }
    }

    /// Sends a batch, after waiting for one of those before it if the limit is reached. Returns what has become of
    /// earlier ones.
    pub(crate) async fn send(&mut self, batch: Batch) -> Sent {
        let mut finished = Vec::new();
        while self.requests.len() >= self.limit.get() {
            finished.extend(self.next().await?);
        }
        if !batch.is_empty() {
            let publisher = self.publisher.clone();
            self.requests.spawn(async move {
                let entries = batch.into_entries();
                let outcomes = publisher.put(&entries).await?;
                Ok(entries.into_iter().zip(outcomes).collect())
            });
        }
        while let Some(result) = self.requests.try_join_next() {
            finished.extend(result.context("a request was cut off")??);
        }
        Ok(finished)
    }

    /// Waits for one request to end, and returns what has become of its entries; nothing if none is under way.
    pub(crate) async fn next(&mut self) -> Sent {
        match self.requests.join_next().await {
            Some(result) => result.context("a request was cut off")?,
            None => Ok(Vec::new()),
        }
    }

    /// Whether no request is under way.
    pub(crate) fn is_idle(&self) -> bool {
        self.requests.is_empty()
    }
}
