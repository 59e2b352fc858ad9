use std::collections::HashSet;
use std::time::Duration;

use entity_stream_clock::Clock;
use entity_stream_connections::Table;
use entity_stream_delivery::ManagementApi;
use entity_stream_history::StateTable;
use entity_stream_protocol::{EpochMillis, Tenant};
use entity_stream_publisher::Publisher;
use entity_stream_runtime::{AwsServices, BroadcastConfig, Failure, HistoryConfig};
use futures_util::future::join_all;
use lambda_runtime::LambdaEvent;
use serde_json::value::RawValue;
use tokio::time::Instant;
use tracing::{Instrument, Span};

use crate::assignment::{Assignment, Parsed, parse, readable_names};
use crate::batch::{EventBatch, batches, of_tenants};
use crate::dead_letters::DeadLetterQueue;
use crate::deadline::Deadline;
use crate::former_history::FormerHistory;
use crate::handover::Outlets;
use crate::metrics;
use crate::recent::Recent;
use crate::recording::{History, NOT_STORED, Recording};
use crate::selection_cache::SelectionCache;
use crate::service::Service;
use crate::stating;
use crate::summary::Summary;
use crate::table_time::TABLE_TIME;
use crate::work_turns::WorkTurns;

/// The time of an invocation without a deadline.
const UNKNOWN_DEADLINE: Duration = Duration::from_secs(29);
/// The error code of malformed events in the dead-letter queue.
const UNDELIVERABLE: &str = "UndeliverableChange";
/// The time for which a connection that takes nothing is tried, and the time after the last delivery after which all attempts
/// end. An invocation that waits costs as much as one that works, and waiting would use up the account's concurrency.
const PATIENCE: Duration = Duration::from_secs(10);

/// The broadcast function.
#[derive(Debug)]
pub struct Broadcast {
    streaming_enabled: bool,
    concurrency: usize,
    split_at: usize,
    patience: Duration,
    table_time: Duration,
    table: Table,
    history: Option<History>,
    /// The history of a former deployment, if this one keeps only states.
    former_history: Option<FormerHistory>,
    states: Option<StateTable>,
    management_api: ManagementApi,
    outlets: Outlets,
    clock: Clock,
    selections: SelectionCache,
    turns: WorkTurns,
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
        let former_history = match (&config.history, &config.entity_state) {
            (None, Some(states)) => {
                let history = HistoryConfig { table: states.table.clone(), retention: Duration::ZERO };
                Some(FormerHistory::new(aws.history(history)))
            }
            _ => None,
        };
        Self {
            streaming_enabled: config.streaming_enabled,
            concurrency: config.concurrency,
            split_at: config.split_at,
            patience: PATIENCE,
            table_time: TABLE_TIME,
            table: aws.connections(config.connections_table),
            history: config.history.map(|history| History::new(aws.history(history))),
            former_history,
            states: config.entity_state.map(|states| aws.entity_states(states)),
            // On AWS, an instance handles one event at a time. The local system handles several at the same time.
            management_api: aws.management_api(config.endpoint).at_most(config.concurrency),
            outlets,
            clock,
            selections: SelectionCache::default(),
            turns: WorkTurns::default(),
            recent: Recent::default(),
        }
    }

    /// Replaces the ten seconds for which a connection that takes nothing is tried.
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// Replaces the five seconds that the table has to answer a read. An engine in the same process on a busy machine needs
    /// more.
    #[must_use]
    pub fn with_table_time(self, table_time: Duration) -> Self {
        Self { table_time, ..self }
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
        let deadline = self.deadline(&event.context);
        let mut total = Summary::default();
        let (mut assignments, mut malformed, mut replays) = (Vec::new(), Vec::new(), Vec::new());
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
                Parsed::Replay(replayed) => {
                    tracing::info!(request_id, "a replayed event is not delivered");
                    total.replays += 1;
                    replays.extend(replayed.map(|replayed| *replayed));
                }
                Parsed::Undeliverable { event, reason } => malformed.push((event, reason)),
            }
        }
        total.undeliverable += malformed.len();
        // At the same time: the events of one tenant do not wait for those of another.
        let served = of_tenants(assignments).into_iter().map(|events| self.serve_tenant(events, request_id, deadline));
        let put_aside = malformed.into_iter().map(|(event, reason)| self.put_aside(event, reason, request_id));
        let (served, put_aside, replayed) =
            tokio::join!(join_all(served), join_all(put_aside), self.merge_replays(&mut replays));
        let mut failure = put_aside.into_iter().find_map(Result::err).or(replayed.err());
        for (summary, failed) in served.into_iter().flatten() {
            total += summary;
            failure = failed.or(failure);
        }
        failure.map_or(Ok(total), Err)
    }

    /// Merges the events of a tenant into the states of their entities, and then serves their batches. An entity can have events in
    /// several batches, because its types change.
    async fn serve_tenant(
        &self,
        mut assignments: Vec<Assignment<'_>>,
        request_id: &str,
        deadline: Deadline,
    ) -> Vec<(Summary, Option<Failure>)> {
        let merged_from = self.clock.now();
        if let Some(states) = &self.states {
            let spans: Vec<_> = assignments.iter().map(|assignment| span(assignment, request_id)).collect();
            let tenant = assignments.first().map(|assignment| &assignment.event.change().tenant);
            let span = shared_span(&spans, tenant);
            stating::apply(states, &mut assignments, &self.clock).instrument(span).await;
        }
        let mut batches = batches(assignments);
        let concurrency = self.concurrency.div_ceil(batches.len().max(1));
        let serve = |batch| self.serve(batch, merged_from, request_id, self.service(concurrency, deadline));
        join_all(batches.iter_mut().map(serve)).await
    }

    /// Serves a batch, and remembers the events that succeeded. Returns the last failure of the others.
    async fn serve(
        &self,
        batch: &mut EventBatch<'_>,
        merged_from: EpochMillis,
        request_id: &str,
        service: Service<'_>,
    ) -> (Summary, Option<Failure>) {
        let spans: Vec<Span> = batch.assignments.iter().map(|assignment| span(assignment, request_id)).collect();
        let span = shared_span(&spans, Some(&batch.tenant));
        let serve = async {
            let histories = (self.history.as_ref(), self.former_history.as_ref());
            let recording = Recording::of(histories, batch, &self.clock).await;
            if let Some(states) = &self.states {
                stating::refresh(states, &mut batch.assignments, merged_from, &self.clock).await;
            }
            service.serve(batch, &recording, &spans).await
        };
        let served = serve.instrument(span).await;
        let mut total = Summary { read_capacity: served.read_capacity, ..Summary::default() };
        let mut failure = None;
        for (assignment, result) in batch.assignments.iter().zip(served.events) {
            match result {
                Ok(summary) => {
                    total += summary;
                    self.recent.insert(assignment.invoked_with, request_id, self.clock.now());
                }
                Err(error) => failure = Some(error),
            }
        }
        (total, failure)
    }

    /// Merges replayed events into the states of their entities.
    async fn merge_replays(&self, replays: &mut [Assignment<'_>]) -> Result<(), Failure> {
        let Some(states) = &self.states else { return Ok(()) };
        stating::apply(states, replays, &self.clock).await;
        let failure = || Failure::new(NOT_STORED, "the state of an entity does not have a replayed event");
        if replays.iter().all(|replayed| replayed.is_stored) { Ok(()) } else { Err(failure()) }
    }

    /// Sends a malformed event to the dead-letter queue. A failure would make Lambda retry it twice in vain.
    async fn put_aside(&self, event: &str, reason: String, request_id: &str) -> Result<(), Failure> {
        let (event_id, tenant) = readable_names(event);
        tracing::error!(reason, event_id, tenant, request_id, "undeliverable event");
        metrics::undeliverable();
        match &self.outlets.dead_letters {
            Some(queue) => queue.send(event, UNDELIVERABLE, &reason).await,
            None => Ok(()),
        }
    }

    fn service(&self, concurrency: usize, deadline: Deadline) -> Service<'_> {
        Service {
            table: &self.table,
            management_api: &self.management_api,
            outlets: &self.outlets,
            selections: &self.selections,
            turns: &self.turns,
            clock: &self.clock,
            concurrency,
            split_at: self.split_at,
            deadline,
            table_time: self.table_time,
        }
    }

    /// Divides the time of the invocation. A deadline in the past is no deadline: `cargo lambda watch` passes a constant.
    fn deadline(&self, context: &lambda_runtime::Context) -> Deadline {
        let deadline = EpochMillis::new(i64::try_from(context.deadline).unwrap_or(i64::MAX));
        let left = deadline.since(self.clock.now());
        Deadline::new(Instant::now(), if left.is_zero() { UNKNOWN_DEADLINE } else { left }, self.patience)
    }
}

fn span(assignment: &Assignment<'_>, request_id: &str) -> Span {
    let (event_id, tenant, depth) = (assignment.event.id(), &assignment.event.change().tenant, assignment.depth);
    tracing::info_span!("broadcast", event_id, %tenant, depth, request_id)
}

/// The span of work that events of a tenant share.
fn shared_span(spans: &[Span], tenant: Option<&Tenant>) -> Span {
    match spans {
        [only] => only.clone(),
        _ => tracing::info_span!("batch", events = spans.len(), tenant = tenant.map(tracing::field::display)),
    }
}
