use std::collections::HashSet;
use std::time::Duration;

use entity_stream_clock::Clock;
use entity_stream_connections::Table;
use entity_stream_delivery::ManagementApi;
use entity_stream_protocol::EpochMillis;
use entity_stream_publisher::Publisher;
use entity_stream_runtime::{AwsServices, BroadcastConfig, Failure};
use lambda_runtime::LambdaEvent;
use serde_json::value::RawValue;
use tokio::time::Instant;
use tracing::{Instrument, Span};

use crate::assignment::{Assignment, Parsed, parse, readable_names};
use crate::batch::{EventBatch, batches};
use crate::dead_letters::DeadLetterQueue;
use crate::deadline::Deadline;
use crate::handover::{Handover, Outlets};
use crate::metrics;
use crate::pattern_cache::PatternCache;
use crate::recent::Recent;
use crate::service::Service;
use crate::summary::Summary;

/// The time to deliver if the invocation has no deadline.
const UNKNOWN_DEADLINE: Duration = Duration::from_secs(25);
/// The error code of malformed events in the dead-letter queue.
const UNDELIVERABLE: &str = "UndeliverableChange";
/// The time after the last delivery in which stragglers are retried. The rest is then handed on: an invocation that waits
/// costs as much as one that works, and waiting would use up the account's concurrency.
const PATIENCE: Duration = Duration::from_secs(15);
/// The time before the deadline that is kept to hand on the rest.
const RESERVE: Duration = Duration::from_secs(3);

/// The broadcast function.
#[derive(Debug)]
pub struct Broadcast {
    streaming_enabled: bool,
    concurrency: usize,
    split_at: usize,
    patience: Duration,
    table: Table,
    management_api: ManagementApi,
    outlets: Outlets,
    clock: Clock,
    patterns: PatternCache,
    recent: Recent,
}

impl Broadcast {
    /// Creates the function from its configuration.
    pub fn new(config: BroadcastConfig, aws: &AwsServices, clock: Clock) -> Self {
        let outlets = Outlets {
            bus: config.event_bus.map(|name| Publisher::new(aws_sdk_eventbridge::Client::new(&aws.event_bridge), name)),
            dead_letters: config
                .dead_letter_queue
                .map(|url| DeadLetterQueue::new(aws_sdk_sqs::Client::new(&aws.sqs), url)),
        };
        Self {
            streaming_enabled: config.streaming_enabled,
            concurrency: config.concurrency,
            split_at: config.split_at,
            patience: PATIENCE,
            table: aws.connections(config.connections_table),
            // On AWS, an instance handles one event at a time. The local system handles several at the same time.
            management_api: aws.management_api(config.endpoint).at_most(config.concurrency),
            outlets,
            clock,
            patterns: PatternCache::default(),
            recent: Recent::default(),
        }
    }

    /// Replaces the 15 seconds for which stragglers are retried after the last delivery.
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// Handles one invocation: an event, or an array of events.
    ///
    /// # Errors
    /// A [`Failure`] if Lambda has to retry the invocation. The events that succeeded are then recognised.
    pub async fn handle(&self, event: LambdaEvent<Box<RawValue>>) -> Result<Summary, Failure> {
        let request_id = event.context.request_id.as_str();
        if !self.streaming_enabled {
            tracing::warn!(request_id, "event ignored: EVENT_STREAMING_ENABLED is not true");
            return Ok(Summary::default());
        }
        let stop = self.stop(&event.context);
        let (mut total, mut failure) = (Summary::default(), None);
        let mut assignments = Vec::new();
        // An event that occurs twice in the payload is delivered once.
        let mut taken = HashSet::new();
        for parsed in parse(&event.payload) {
            match parsed {
                Parsed::Assigned(assignment) => {
                    let is_repeated = !taken.insert(assignment.invoked_with)
                        || self.recent.contains(assignment.invoked_with, request_id, self.clock.now());
                    if is_repeated {
                        span(&assignment, request_id).in_scope(|| tracing::info!("event already delivered"));
                        total.duplicates += 1;
                    } else {
                        assignments.push(*assignment);
                    }
                }
                Parsed::Undeliverable { event, reason } => {
                    total.undeliverable += 1;
                    failure = self.put_aside(event, &reason, request_id).await.err().or(failure);
                }
            }
        }
        for batch in batches(assignments) {
            let spans: Vec<Span> = batch.assignments.iter().map(|assignment| span(assignment, request_id)).collect();
            let served = self.service(&batch, stop).serve(&batch, &spans).instrument(batch_span(&spans, &batch)).await;
            total.read_capacity += served.read_capacity;
            for (assignment, result) in batch.assignments.iter().zip(served.events) {
                match result {
                    Ok(summary) => {
                        total += summary;
                        self.recent.insert(assignment.invoked_with, request_id, self.clock.now());
                    }
                    Err(error) => failure = Some(error),
                }
            }
        }
        failure.map_or(Ok(total), Err)
    }

    /// Sends a malformed event to the dead-letter queue. A failure would make Lambda retry it twice in vain.
    async fn put_aside(&self, event: &str, reason: &str, request_id: &str) -> Result<(), Failure> {
        let (event_id, tenant) = readable_names(event);
        tracing::error!(reason, event_id, tenant, request_id, "undeliverable event");
        metrics::undeliverable();
        match &self.outlets.dead_letters {
            Some(queue) => queue.send(event, UNDELIVERABLE, reason).await,
            None => Ok(()),
        }
    }

    fn service(&self, batch: &EventBatch<'_>, stop: Instant) -> Service<'_> {
        let mut handovers = batch.assignments.iter().map(|assignment| Handover::new(assignment, &self.outlets));
        let patience = handovers.all(|handover| handover.can_leave_a_rest()).then_some(self.patience);
        Service {
            table: &self.table,
            management_api: &self.management_api,
            outlets: &self.outlets,
            patterns: &self.patterns,
            clock: &self.clock,
            concurrency: self.concurrency,
            split_at: self.split_at,
            deadline: Deadline { stop, patience },
        }
    }

    /// Returns the end of all attempts. A deadline in the past is no deadline: `cargo lambda watch` passes a constant.
    fn stop(&self, context: &lambda_runtime::Context) -> Instant {
        let deadline = EpochMillis::new(i64::try_from(context.deadline).unwrap_or(i64::MAX));
        let left = deadline.since(self.clock.now());
        let time = if left.is_zero() { UNKNOWN_DEADLINE } else { left - RESERVE.min(left / 4) };
        Instant::now() + time
    }
}

fn span(assignment: &Assignment<'_>, request_id: &str) -> Span {
    let (event_id, tenant, depth) = (assignment.event.id(), &assignment.event.change().tenant, assignment.depth);
    tracing::info_span!("broadcast", event_id, %tenant, depth, request_id)
}

/// The span of work that the events of a batch share.
fn batch_span(spans: &[Span], batch: &EventBatch<'_>) -> Span {
    match spans {
        [only] => only.clone(),
        _ => tracing::info_span!("batch", events = spans.len(), tenant = %batch.tenant),
    }
}
