//! An event bus under the control of a test, and Lambda behind it.

use entity_stream_broadcast::Summary;
use entity_stream_runtime::Failure;
use futures_util::stream::{FuturesUnordered, StreamExt};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::{Endpoint, Functions, Reply};

/// An event bus that keeps all entries.
pub(crate) struct Bus {
    endpoint: Endpoint,
    events: mpsc::UnboundedReceiver<String>,
}

/// The result of an event and all its continuations.
#[derive(Default)]
pub(crate) struct Ran {
    pub(crate) reports: Vec<Summary>,
    /// Invocations that failed three times.
    pub(crate) dead: Vec<Failure>,
    /// Invocations that failed and were retried.
    pub(crate) retries: usize,
}

impl Ran {
    pub(crate) fn sum(&self, of: impl Fn(&Summary) -> usize) -> usize {
        self.reports.iter().map(of).sum()
    }
}

impl Bus {
    pub(crate) async fn start() -> Self {
        let (sender, events) = mpsc::unbounded_channel();
        let endpoint = Endpoint::new(move |asked| {
            let request: Value = serde_json::from_slice(&asked.body).unwrap();
            let entries = request["Entries"].as_array().unwrap();
            assert!((1..=10).contains(&entries.len()), "EventBridge accepts ten entries at once");
            assert!(asked.body.len() < 1_100_000, "EventBridge accepts 1 MB");
            let ids: Vec<_> = entries.iter().map(|entry| {
                let id = format!("c-{}", fastrand::u64(..));
                let detail: Value = serde_json::from_str(entry["Detail"].as_str().unwrap()).unwrap();
                let event = json!({
                    "version": "0", "id": id, "detail-type": entry["DetailType"], "source": entry["Source"],
                    "account": "123456789012", "time": "2026-01-02T03:04:06Z", "region": "us-east-1", "resources": [],
                    "detail": detail,
                });
                // A finished test no longer receives entries.
                let _ = sender.send(event.to_string());
                json!({ "EventId": id })
            }).collect();
            Reply::json(json!({ "FailedEntryCount": 0, "Entries": ids }).to_string())
        })
        .await;
        Self { endpoint, events }
    }

    pub(crate) fn url(&self) -> &str {
        &self.endpoint.url
    }

    /// The entries that were put on the bus and not taken yet.
    pub(crate) fn take(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.events.try_recv().ok()).collect()
    }

    /// Invokes the function with each event and every continuation until the bus is empty. The invocations run at once, each
    /// for `seconds`, and up to three times if they fail.
    pub(crate) async fn run(&mut self, functions: &Functions, events: Vec<String>, seconds: u64) -> Ran {
        let invoke = |event: String| async move {
            let mut retries = 0;
            loop {
                match functions.broadcast(&event, seconds).await {
                    Err(_) if retries < 2 => retries += 1,
                    result => return (result, retries),
                }
            }
        };
        let mut ran = Ran::default();
        let mut under_way: FuturesUnordered<_> = events.into_iter().map(&invoke).collect();
        while !under_way.is_empty() {
            tokio::select! {
                Some((result, retries)) = under_way.next() => {
                    ran.retries += retries;
                    match result {
                        Ok(report) => ran.reports.push(report),
                        Err(failure) => ran.dead.push(failure),
                    }
                }
                Some(event) = self.events.recv() => under_way.push(invoke(event)),
            }
            under_way.extend(self.take().into_iter().map(&invoke));
        }
        ran
    }
}
