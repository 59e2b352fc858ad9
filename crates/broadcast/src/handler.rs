use std::time::Duration;

use entity_stream_connections::Table;
use entity_stream_delivery::ManagementApi;
use entity_stream_protocol::{Clock, EpochMillis};
use entity_stream_publisher::Publisher;
use entity_stream_runtime::environment::{BROADCAST_CONCURRENCY, BROADCAST_SPLIT_AT};
use entity_stream_runtime::{Environment, Failure, InvalidVariable};
use lambda_runtime::LambdaEvent;
use serde_json::value::RawValue;
use tokio::time::Instant;
use tracing::Instrument;

use crate::dead_letters::DeadLetterQueue;
use crate::envelope::{Parsed, Received, names, parse};
use crate::metrics;
use crate::patterns::PatternCache;
use crate::recent::Recent;
use crate::report::Report;

/// Messages under way at once, unless [`BROADCAST_CONCURRENCY`] says otherwise.
const DEFAULT_CONCURRENCY: usize = 64;
/// How long to go on if the invocation does not say when it ends.
const UNKNOWN_DEADLINE: Duration = Duration::from_secs(25);
/// Connections that one invocation serves, unless [`BROADCAST_SPLIT_AT`] says otherwise: less than a second's work.
const DEFAULT_SPLIT_AT: usize = 5_000;
/// The error code of dead letters that can reach nobody.
const UNDELIVERABLE: &str = "UndeliverableChange";
/// How long connections that do not take an event hold an invocation up after everybody else has it, or the last of them
/// got it. What is left is then handed on: an invocation that waits for a few costs as much as one that works, and a busy
/// tenant's events would use up the account's concurrency with waiting.
const PATIENCE: Duration = Duration::from_secs(15);
/// What is kept of the time before the deadline, to hand on what is left.
const RESERVE: Duration = Duration::from_secs(3);

/// The function, ready for events.
#[derive(Debug)]
pub struct Broadcast {
    pub(crate) streaming_enabled: bool,
    pub(crate) concurrency: usize,
    pub(crate) split_at: usize,
    pub(crate) patience: Duration,
    pub(crate) table: Table,
    pub(crate) management_api: ManagementApi,
    pub(crate) outlets: Outlets,
    pub(crate) clock: Clock,
    pub(crate) patterns: PatternCache,
    pub(crate) recent: Recent,
}

/// Where a broadcast puts what it cannot deliver.
#[derive(Clone, Debug, Default)]
pub struct Outlets {
    /// The bus for continuation events. Without it, what one invocation cannot serve fails the event, and Lambda tries
    /// all of it again.
    pub bus: Option<Publisher>,
    /// The queue for what can reach nobody, or was handed on too often. Without it, the former is only logged.
    pub dead_letters: Option<DeadLetterQueue>,
}

impl Broadcast {
    /// The function with settings from `environment`.
    ///
    /// # Errors
    /// [`InvalidVariable`] names a variable that is malformed.
    pub fn new(
        environment: &Environment,
        table: Table,
        management_api: ManagementApi,
        outlets: Outlets,
        clock: Clock,
    ) -> Result<Self, InvalidVariable> {
        let concurrency = environment.number(BROADCAST_CONCURRENCY, 1..=10_000)?.unwrap_or(DEFAULT_CONCURRENCY);
        Ok(Self {
            streaming_enabled: environment.streaming_enabled(),
            concurrency,
            split_at: environment.number(BROADCAST_SPLIT_AT, 1..=1_000_000)?.unwrap_or(DEFAULT_SPLIT_AT),
            patience: PATIENCE,
            table,
            // Lambda gives an instance one event after another, but in one process they come at the same time.
            management_api: management_api.at_most(concurrency),
            outlets,
            clock,
            patterns: PatternCache::default(),
            recent: Recent::default(),
        })
    }

    /// The same with another time, instead of 15 seconds, for which connections that do not take an event are tried again
    /// after the last one took it, before they are left to a continuation.
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// Handles one event, or an array of them.
    ///
    /// # Errors
    /// A [`Failure`] if the invocation has to be repeated.
    pub async fn handle(&self, event: LambdaEvent<Box<RawValue>>) -> Result<Report, Failure> {
        if !self.streaming_enabled {
            let request_id = &event.context.request_id;
            tracing::warn!(request_id, "event ignored: EVENT_STREAMING_ENABLED is not true");
            return Ok(Report::default());
        }
        let deadline = self.deadline(&event.context);
        let request_id = &event.context.request_id;
        let mut total = Report::default();
        let mut failure = None;
        for parsed in parse(&event.payload) {
            match parsed {
                Parsed::Event(received) => {
                    let (event, depth) = (&received.event, received.depth);
                    let tenant = &event.change().tenant;
                    let span = tracing::info_span!("broadcast", event_id = event.id(), %tenant, depth, request_id);
                    match self.once(&received, request_id, deadline).instrument(span).await {
                        Ok(report) => total += report,
                        Err(error) => failure = Some(error),
                    }
                }
                Parsed::Poison { event, reason } => {
                    let (event_id, tenant) = names(event);
                    tracing::error!(reason, event_id, tenant, request_id, "event that can reach nobody");
                    metrics::undeliverable();
                    total.undeliverable += 1;
                    if let Some(queue) = &self.outlets.dead_letters
                        && let Err(error) = queue.send(event, UNDELIVERABLE, &reason).await
                    {
                        failure = Some(error);
                    }
                }
            }
        }
        failure.map_or(Ok(total), Err)
    }

    /// Serves an event, unless it has been served already.
    async fn once(&self, received: &Received<'_>, request_id: &str, deadline: Instant) -> Result<Report, Failure> {
        if self.recent.contains(received.invoked_with, request_id, self.clock.now()) {
            tracing::info!("delivered already: EventBridge delivers at least once");
            return Ok(Report { duplicates: 1, ..Report::default() });
        }
        let report = self.serve(received, deadline).await?;
        self.recent.insert(received.invoked_with, request_id, self.clock.now());
        Ok(report)
    }

    /// When to stop trying. A deadline that has passed before the event is even read is no deadline: `cargo lambda
    /// watch` passes a constant.
    fn deadline(&self, context: &lambda_runtime::Context) -> Instant {
        let deadline = EpochMillis::new(i64::try_from(context.deadline).unwrap_or(i64::MAX));
        let left = deadline.since(self.clock.now());
        let time = if left.is_zero() { UNKNOWN_DEADLINE } else { left - RESERVE.min(left / 4) };
        Instant::now() + time
    }
}
