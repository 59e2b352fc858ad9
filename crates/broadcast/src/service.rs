use std::time::Duration;

use entity_stream_clock::Clock;
use entity_stream_connections::{Interest, Table};
use entity_stream_delivery::ManagementApi;
use entity_stream_protocol::EpochMillis;
use entity_stream_runtime::Failure;
use futures_util::{StreamExt, stream};
use tokio::time::Instant;
use tracing::{Instrument, Span};

use crate::audience::{Audience, First, ReadError, Reading, Slice};
use crate::batch::EventBatch;
use crate::courier::Courier;
use crate::deadline::Deadline;
use crate::dispatcher::Dispatcher;
use crate::frames::Frames;
use crate::handover::{Handover, Outlets};
use crate::ledger::Ledger;
use crate::messages::Messages;
use crate::metrics;
use crate::plan::{FirstPages, Plan, Sighting};
use crate::read_ahead::read_ahead;
use crate::recipients::{Recipient, Resolved, recipients};
use crate::recording::{Permits, Recording};
use crate::resolution::Resolution;
use crate::schedule::StopReason;
use crate::selection_cache::SelectionCache;
use crate::summary::Summary;
use crate::verdicts::Verdicts;
use crate::work_turns::WorkTurns;

/// The error type if the table does not answer.
const TABLE_UNAVAILABLE: &str = "TableUnavailable";

/// Serves batches.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Service<'a> {
    pub(crate) table: &'a Table,
    pub(crate) management_api: &'a ManagementApi,
    pub(crate) outlets: &'a Outlets,
    pub(crate) selections: &'a SelectionCache,
    pub(crate) turns: &'a WorkTurns,
    pub(crate) clock: &'a Clock,
    pub(crate) concurrency: usize,
    pub(crate) split_at: usize,
    pub(crate) deadline: Deadline,
    /// The time that the table has to answer a read.
    pub(crate) table_time: Duration,
}

/// The results of a batch.
#[derive(Debug)]
pub(crate) struct BatchResult {
    /// The result of each event.
    pub(crate) events: Vec<Result<Summary, Failure>>,
    /// The consumed read capacity units.
    pub(crate) read_capacity: f64,
}

impl Service<'_> {
    /// Delivers the events of a batch to this invocation's part of their audience, and hands on the rest of each event.
    /// `spans` has the span of each event.
    pub(crate) async fn serve(&self, batch: &EventBatch<'_>, recording: &Recording<'_>, spans: &[Span]) -> BatchResult {
        let started = Instant::now();
        let changes = || batch.assignments.iter().map(|assignment| assignment.event.change());
        let events = batch.assignments.iter().map(|assignment| &assignment.event);
        let verdicts = Verdicts::new(self.selections, events);
        let ids = changes().map(|change| change.entity_id.as_str()).collect();
        let key = (&batch.tenant, &batch.entity_types, ids);
        let turns = self.turns.of(&batch.tenant);
        let times = (self.deadline.stop, self.table_time);
        let permits = Permits { recording, batch };
        let audience = Audience::new((self.table, self.clock), key, (verdicts, turns), permits, times);
        let handovers: Vec<_> =
            batch.assignments.iter().map(|assignment| Handover::new(assignment, self.outlets)).collect();

        let (plan, slices, mut read_capacity) = match self.plan(batch, &audience, &handovers).await {
            Ok(planned) => planned,
            // No connection has received an event yet.
            Err(error) => {
                let failure = Failure::from(&error);
                return BatchResult { events: vec![Err(failure); batch.assignments.len()], read_capacity: 0.0 };
            }
        };
        // Before the first delivery: the other invocations then work at the same time, and no connection has received the
        // event if this fails.
        let mut split = Vec::with_capacity(handovers.len());
        for ((handover, share), span) in handovers.iter().zip(&plan.shares).zip(spans) {
            split.push(handover.split(&share.beyond).instrument(span.clone()).await);
        }
        let mut ledgers: Vec<Ledger> = handovers.iter().map(|_| Ledger::default()).collect();
        if split.iter().any(Result::is_ok) {
            let serves = |event: usize| split[event].is_ok();
            let capacity =
                self.deliver((batch, recording, spans), &audience, (&plan, slices), serves, &mut ledgers).await;
            read_capacity += capacity;
        }

        let mut events = Vec::with_capacity(handovers.len());
        for (event, (split, ledger)) in split.into_iter().zip(ledgers).enumerate() {
            let finish = async {
                let mut ledger = ledger;
                ledger.summary.continued += split?;
                let reason = ledger.describe_left();
                let left = match ledger.failure.take().or_else(|| recording.failure(batch, event)) {
                    // Lambda repeats the whole event.
                    Some(failure) => Err(failure),
                    None => handovers[event].leave_rest(std::mem::take(&mut ledger.left), reason).await,
                };
                ledger.summary.continued += left.as_ref().copied().unwrap_or_default();
                let published_at = batch.assignments[event].published_at;
                let age = ledger.delivered_at.map(|times| metrics::record_ages(published_at, times));
                metrics::count(&ledger.summary);
                log(&ledger.summary, age, read_capacity, started);
                left.map(|_| ledger.summary)
            };
            events.push(finish.instrument(spans[event].clone()).await);
        }
        BatchResult { events, read_capacity }
    }

    /// Reads the first pages, if that is useful, and plans.
    async fn plan(
        &self,
        batch: &EventBatch<'_>,
        audience: &Audience<'_>,
        handovers: &[Handover<'_>],
    ) -> Result<(Plan, Vec<Slice>, f64), ReadError> {
        let [range] = batch.ranges[..] else {
            let plan = Plan::of_ranges(&batch.ranges, batch.assignments.len());
            let slices = plan.unread.iter().copied().map(Slice::Unread).collect();
            return Ok((plan, slices, 0.0));
        };
        let Reading { result: First { mut candidates, read_up_to }, capacity } =
            audience.read_first_pages(range).await?;
        let split_at: Vec<_> = handovers.iter().map(|handover| handover.can_split().then_some(self.split_at)).collect();
        let matching = candidates.iter().map(|candidate| Sighting {
            hash: candidate.interest.hash(),
            connection_id: &candidate.interest.connection_id,
            events: candidate.events(),
        });
        let pages = FirstPages { range, read_up_to, matching: matching.collect() };
        let plan = Plan::of_first_pages(&pages, &split_at);
        let mut slices = Vec::with_capacity(plan.unread.len() + 1);
        if let Some(range) = plan.read {
            candidates.retain(|candidate| range.contains(candidate.interest.hash()));
            slices.push(Slice::Read { candidates, range });
        }
        slices.extend(plan.unread.iter().copied().map(Slice::Unread));
        Ok((plan, slices, capacity))
    }

    /// Delivers the events that `serves` selects, and enters the results in their ledgers. Returns the consumed read capacity
    /// units.
    async fn deliver(
        &self,
        (batch, recording, spans): (&EventBatch<'_>, &Recording<'_>, &[Span]),
        audience: &Audience<'_>,
        (plan, slices): (&Plan, Vec<Slice>),
        serves: impl Fn(usize) -> bool,
        ledgers: &mut [Ledger],
    ) -> f64 {
        let event_ids: Vec<_> = batch.assignments.iter().map(|assignment| assignment.event.id()).collect();
        let messages: Vec<_> = batch.assignments.iter().map(|assignment| Messages::of(&assignment.event)).collect();
        let frames = Frames::default();
        let turns = self.turns.of(&batch.tenant);
        let courier = Courier {
            table: self.table,
            management_api: self.management_api,
            clock: self.clock,
            messages: &messages,
            frames: &frames,
            permits: Permits { recording, batch },
            turns: &turns,
            spans,
            stop: self.deadline.stop,
        };
        let (mut unread, mut read_capacity) = (Vec::new(), 0.0);
        let (reading, readings) = read_ahead(slices, |slice| audience.read(slice));
        let read = readings.flat_map(|Reading { result, capacity }| {
            read_capacity += capacity;
            let candidates = result.unwrap_or_else(|part| {
                unread.push(part);
                Vec::new()
            });
            let serves = |event, hash| serves(event) && plan.serves(event, hash);
            stream::iter(recipients(candidates, serves, &event_ids))
        });
        let mut stuck = Vec::new();
        let settle = |recipient: Recipient, reason| {
            recipient.resolved.iter().for_each(|resolved| ledgers[resolved.event].resolved(resolved));
            match reason {
                StopReason::Done => {}
                StopReason::Stuck => stuck.push(recipient),
                StopReason::OutOfTime => {
                    not_delivered(&recipient, spans, |event| ledgers[event].failed(recipient.hash));
                }
                StopReason::Failed => {
                    let failure = Failure::new(TABLE_UNAVAILABLE, &recipient.reason);
                    not_delivered(&recipient, spans, |event| ledgers[event].fail(&failure));
                }
            }
        };
        let dispatcher = Dispatcher { concurrency: self.concurrency, deadline: self.deadline };
        tokio::join!(reading, dispatcher.run(read, &courier, settle));
        let closing = (self.concurrency, self.deadline.close_until(Instant::now()));
        let settle = |recipient: Recipient, result: Result<(), Failure>| match result {
            Ok(()) => closed(&recipient, self.clock.now()).for_each(|closed| ledgers[closed.event].resolved(&closed)),
            Err(failure) => not_delivered(&recipient, spans, |event| ledgers[event].fail(&failure)),
        };
        courier.evict(stuck, closing, settle).await;
        for (event, ledger) in ledgers.iter_mut().enumerate().filter(|(event, _)| serves(*event)) {
            for (range, error) in unread.iter().filter_map(|part| Some((plan.served(event, part.range)?, &part.error)))
            {
                match error {
                    ReadError::OutOfTime => ledger.unread(range),
                    ReadError::Table(_) => ledger.fail_unread(&Failure::from(error)),
                }
            }
        }
        read_capacity
    }
}

/// Names the connections that could take an event and have not received it, and counts each event.
fn not_delivered(recipient: &Recipient, spans: &[Span], mut count: impl FnMut(usize)) {
    for (event, mut interests) in recipient.unresolved() {
        count(event);
        if let Some(Interest { connection_id, .. }) = interests.next() {
            let reason = &recipient.reason;
            spans[event].in_scope(|| tracing::warn!(%connection_id, reason, "event not delivered"));
        }
    }
}

/// Returns the results of a recipient whose connections were closed.
fn closed(recipient: &Recipient, at: EpochMillis) -> impl Iterator<Item = Resolved> {
    let resolved = move |event| Resolved { event, resolution: Resolution::Closed, at };
    recipient.unresolved().flat_map(move |(event, interests)| interests.map(move |_| resolved(event)))
}

impl From<&ReadError> for Failure {
    fn from(error: &ReadError) -> Self {
        match error {
            ReadError::Table(error) => Self::new(TABLE_UNAVAILABLE, error.to_string()),
            ReadError::OutOfTime => Self::new("OutOfTime", "the time was over before the audience was read"),
        }
    }
}

fn log(summary: &Summary, age: Option<(u64, u64)>, read_capacity: f64, started: Instant) {
    tracing::info!(
        matched = summary.matched,
        delivered = summary.delivered,
        gone = summary.gone,
        expired = summary.expired,
        failed = summary.failed,
        rejected = summary.rejected,
        closed = summary.closed,
        continued = summary.continued,
        read_capacity,
        first_age = age.map(|(first, _)| first),
        last_age = age.map(|(_, last)| last),
        milliseconds = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        "broadcast"
    );
}
