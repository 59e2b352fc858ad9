//! The broadcast function: takes an entity change to every connection that wants it.
//!
//! - **Trigger**: an EventBridge event whose `detail.type` is one of the three change types, or an array of such events,
//!   as newer buses send them.
//! - **Reads**: the interests of the change's tenant in its types, and those in every type; nothing else.
//! - **Writes**: forgets connections that are gone; puts what can reach nobody on the dead-letter queue, once.
//! - **Answers** with counts of what became of the connections.
//! - **Fails** if a connection that is alive did not get the event before the deadline, or the table could not be read.
//!   Lambda then tries the whole event again: who has it already gets it twice, with the same `id`.

mod audience;
mod dead_letters;
mod envelope;
mod groups;
mod messages;
mod patterns;
mod report;
mod send;

use std::time::Duration;

use entity_stream_connections::Table;
use entity_stream_delivery::ManagementApi;
use entity_stream_protocol::{Clock, EpochMillis, Event};
use entity_stream_runtime::environment::BROADCAST_CONCURRENCY;
use entity_stream_runtime::{Environment, Failure, InvalidVariable};
use futures_util::StreamExt;
use lambda_runtime::LambdaEvent;
use serde_json::value::RawValue;
use tokio::time::Instant;
use tracing::Instrument;

pub use crate::dead_letters::DeadLetterQueue;
use crate::envelope::{Parsed, parse};
use crate::groups::Groups;
use crate::messages::Messages;
use crate::patterns::PatternCache;
pub use crate::report::Report;

/// Messages under way at once, unless [`BROADCAST_CONCURRENCY`] says otherwise.
const DEFAULT_CONCURRENCY: usize = 64;
/// How long to go on if the invocation does not say when it ends.
const UNKNOWN_DEADLINE: Duration = Duration::from_secs(25);
/// What is kept of the time before the deadline, to end in good order.
const RESERVE: Duration = Duration::from_secs(1);

/// The function, ready for events.
#[derive(Debug)]
pub struct Broadcast {
    streaming_enabled: bool,
    concurrency: usize,
    table: Table,
    management_api: ManagementApi,
    dead_letters: Option<DeadLetterQueue>,
    clock: Clock,
    patterns: PatternCache,
}

impl Broadcast {
    /// The function with settings from `environment`. Without a dead-letter queue, what can reach nobody is only logged.
    ///
    /// # Errors
    /// [`InvalidVariable`] names a variable that is malformed.
    pub fn new(
        environment: &Environment,
        table: Table,
        management_api: ManagementApi,
        dead_letters: Option<DeadLetterQueue>,
        clock: Clock,
    ) -> Result<Self, InvalidVariable> {
        Ok(Self {
            streaming_enabled: environment.streaming_enabled(),
            concurrency: environment.number(BROADCAST_CONCURRENCY, 1..=10_000)?.unwrap_or(DEFAULT_CONCURRENCY),
            table,
            management_api,
            dead_letters,
            clock,
            patterns: PatternCache::default(),
        })
    }

    /// Handles one event, or an array of them.
    ///
    /// # Errors
    /// A [`Failure`] if the invocation has to be repeated.
    pub async fn handle(&self, event: LambdaEvent<Box<RawValue>>) -> Result<Report, Failure> {
        if !self.streaming_enabled {
            tracing::warn!("event ignored: EVENT_STREAMING_ENABLED is not true");
            return Ok(Report::default());
        }
        let deadline = self.deadline(&event.context);
        let request_id = &event.context.request_id;
        let mut total = Report::default();
        let mut failure = None;
        for parsed in parse(&event.payload) {
            match parsed {
                Parsed::Event(event) => {
                    let tenant = &event.change().tenant;
                    let span = tracing::info_span!("broadcast", event_id = event.id(), %tenant, request_id);
                    match self.broadcast(&event, deadline).instrument(span).await {
                        Ok(report) => total += report,
                        Err(error) => failure = Some(error),
                    }
                }
                Parsed::Poison { event, reason } => {
                    tracing::error!(reason, request_id, "event that can reach nobody");
                    if let Some(queue) = &self.dead_letters {
                        queue.send(event, &reason).await?;
                    }
                    total.undeliverable += 1;
                }
            }
        }
        failure.map_or(Ok(total), Err)
    }

    async fn broadcast(&self, event: &Event, deadline: Instant) -> Result<Report, Failure> {
        let started = Instant::now();
        let messages = Messages::of(event);
        let mut audience = self.audience(event);
        let (interests, reading) = audience.split();
        let mut report = Report::default();
        let mut groups = Groups::default();
        {
            let ungrouped = interests.filter_map(|interest| {
                let single = groups.keep_back(interest);
                async { single }
            });
            let sends = ungrouped.map(|interest| self.send(&messages, interest, deadline));
            let mut outcomes = std::pin::pin!(sends.buffer_unordered(self.concurrency));
            while let Some(outcome) = outcomes.next().await {
                report.count(&outcome);
            }
        }
        let group_sends = groups.into_members(event.id()).map(|members| self.send_to_one(&messages, members, deadline));
        let mut outcomes = std::pin::pin!(futures_util::stream::iter(group_sends).buffer_unordered(self.concurrency));
        while let Some(group_outcomes) = outcomes.next().await {
            for outcome in &group_outcomes {
                report.count(outcome);
            }
        }
        report.read_capacity = reading.capacity();
        tracing::info!(
            matched = report.matched,
            delivered = report.delivered,
            gone = report.gone,
            expired = report.expired,
            failed = report.failed,
            read_capacity = report.read_capacity,
            milliseconds = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
            "broadcast"
        );
        if let Some(error) = reading.error() {
            tracing::error!(%error, "the audience could not be read to the end");
            return Err(error.into());
        }
        if report.failed > 0 {
            let message = format!("{} of {} connections did not get the event in time", report.failed, report.matched);
            return Err(Failure::new("DeliveryIncomplete", message));
        }
        Ok(report)
    }

    /// When to stop trying. A deadline that has passed before the event is even read is no deadline: `cargo lambda
    /// watch` passes a constant.
    fn deadline(&self, context: &lambda_runtime::Context) -> Instant {
        let deadline = EpochMillis::new(i64::try_from(context.deadline).unwrap_or(i64::MAX));
        let left = deadline.since(self.clock.now());
        let time = if left.is_zero() { UNKNOWN_DEADLINE } else { left.saturating_sub(RESERVE) };
        Instant::now() + time
    }
}
