//! Invariant: every entry has exactly one result, in the order of the entries. An entry that the bus accepted, or refused
//! for good, is never sent again. Nothing is sent after the deadline.
//!
//! Delivery is at least once: if a request is not answered, the bus may have its entries, and they are sent again.

use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::types::PutEventsResultEntry;
use tokio::time::{Instant, timeout_at};

use crate::batch::Batch;
use crate::entry::BusEntry;
use crate::error::{PublishError, RequestError};
use crate::limits::ENTRY_BYTES;
use crate::retry::{LONGEST_WAIT, is_passing, waits};

/// Publishes events to one bus. Clones share their connections.
#[derive(Clone, Debug)]
pub struct Publisher {
    client: Client,
    bus: Option<String>,
}

/// An entry that the bus does not have yet, and its place among the results.
#[derive(Clone, Copy)]
struct Pending<'a> {
    index: usize,
    entry: &'a BusEntry,
}

impl AsRef<BusEntry> for Pending<'_> {
    fn as_ref(&self) -> &BusEntry {
        self.entry
    }
}

impl Publisher {
    /// A publisher to the bus of this name or ARN.
    pub fn new(client: Client, bus: impl Into<String>) -> Self {
        Self { client, bus: Some(bus.into()) }
    }

    /// A publisher to the account's default bus.
    pub fn to_default_bus(client: Client) -> Self {
        Self { client, bus: None }
    }

    /// Publishes entries, in requests of at most ten, one request after the other. Entries that fail for a passing reason
    /// are sent again with jittered backoff until `deadline`.
    ///
    /// Returns one result for each entry, in their order: the event's id, or the reason why the bus does not have it.
    pub async fn publish<T: AsRef<BusEntry>>(
        &self,
        entries: &[T],
        deadline: Instant,
    ) -> Vec<Result<String, PublishError>> {
        let mut results = vec![Err(PublishError::Request(RequestError::Unanswered)); entries.len()];
        let mut pending = Vec::with_capacity(entries.len());
        for (index, entry) in entries.iter().map(AsRef::as_ref).enumerate() {
            match entry.size() {
                bytes if bytes >= ENTRY_BYTES => results[index] = Err(PublishError::TooLarge { bytes }),
                _ => pending.push(Pending { index, entry }),
            }
        }
        let mut waits = waits();
        loop {
            let mut again = Vec::new();
            for request in requests(pending) {
                let answers = self.send(&request, deadline).await;
                for (pending, (result, is_passing)) in request.into_iter().zip(answers) {
                    results[pending.index] = result;
                    if is_passing {
                        again.push(pending);
                    }
                }
            }
            pending = again;
            let wait = waits.next().unwrap_or(LONGEST_WAIT);
            if pending.is_empty() || Instant::now() + wait >= deadline {
                return results;
            }
            tracing::debug!(entries = pending.len(), ?wait, "the bus did not take all entries yet");
            tokio::time::sleep(wait).await;
        }
    }

    /// Sends one request. Returns for each entry its result, and whether the entry should be sent again.
    async fn send(&self, request: &[Pending<'_>], deadline: Instant) -> Vec<(Result<String, PublishError>, bool)> {
        let all = |error: RequestError| {
            let is_passing = error.is_passing();
            vec![(Err(PublishError::Request(error)), is_passing); request.len()]
        };
        if Instant::now() >= deadline {
            return all(RequestError::Unanswered);
        }
        let entries = request.iter().map(|pending| pending.entry.to_request(self.bus.as_deref())).collect();
        let call = self.client.put_events().set_entries(Some(entries)).send();
        let output = match timeout_at(deadline, call).await {
            Ok(Ok(output)) => output,
            Ok(Err(error)) => return all(RequestError::new(&error)),
            Err(_) => return all(RequestError::Unanswered),
        };
        let answers = output.entries.unwrap_or_default();
        if answers.len() != request.len() {
            let reason = format!("it answered {} entries with {} results", request.len(), answers.len());
            return all(RequestError::Unintelligible(reason));
        }
        answers.into_iter().map(judge).collect()
    }
}

/// Divides entries into requests within the limits, in their order.
fn requests(pending: Vec<Pending<'_>>) -> Vec<Vec<Pending<'_>>> {
    let (mut requests, mut batch) = (Vec::new(), Batch::default());
    for entry in pending {
        requests.extend(batch.push_or_replace(entry).map(Batch::into_entries));
    }
    if !batch.is_empty() {
        requests.push(batch.into_entries());
    }
    requests
}

fn judge(answer: PutEventsResultEntry) -> (Result<String, PublishError>, bool) {
    match (answer.event_id, answer.error_code) {
        (Some(id), None) => (Ok(id), false),
        (_, code) => {
            let code = code.unwrap_or_else(|| "no error code".to_owned());
            let message = answer.error_message.unwrap_or_default();
            match is_passing(&code) {
                true => (Err(PublishError::Exhausted { code, message }), true),
                false => (Err(PublishError::Refused { code, message }), false),
            }
        }
    }
}
