//! The history's part in serving a batch.
//!
//! Invariant: the events are in the history before their audience is read, and a page of it is read, and a delivery made, only
//! while [`EventAttempt::permit`] allows it. An event that is not in the history is delivered, and then fails, so that Lambda repeats
//! it: an outage of the history stops no live event, and no client is told wrongly that it missed nothing.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use entity_stream_clock::Clock;
use entity_stream_history::{DEPLOYMENT, EventAttempt, HistoryTable, Permit};
use entity_stream_protocol::{EpochMillis, Event};
use entity_stream_runtime::Failure;
use tokio::time::{Instant, timeout};

use crate::batch::EventBatch;
use crate::former_history::FormerHistory;
use crate::metrics;

/// The error type if an event could not be written into the history.
const NOT_RECORDED: &str = "HistoryUnavailable";

/// The error type if the state of an entity could not be written.
pub(crate) const NOT_STORED: &str = "StateUnavailable";

/// The history of a function that keeps one.
#[derive(Debug)]
pub(crate) struct History {
    table: HistoryTable,
    /// The last time at which the epoch of the history was known to have begun.
    has_epoch: tokio::sync::Mutex<Option<EpochMillis>>,
}

/// Allows the steps of an attempt at a batch: reads of its audience, deliveries and closes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Permits<'a> {
    pub(crate) recording: &'a Recording<'a>,
    pub(crate) batch: &'a EventBatch<'a>,
}

impl Permits<'_> {
    /// Returns the time until which a step that takes this long at most may be made; `None` if it has no limit. If the attempt
    /// has lasted too long, this first writes the events anew.
    pub(crate) async fn next(&self, time: Duration) -> Option<Instant> {
        self.recording.permit(self.batch, time).await
    }
}

/// The record of a batch's events in the history.
#[derive(Debug)]
pub(crate) struct Recording<'a> {
    /// `None`: the function keeps no history.
    history: Option<Recorded<'a>>,
    /// False if events of a former history could still be promised, although this function keeps none.
    is_former_over: bool,
}

#[derive(Debug)]
struct Recorded<'a> {
    table: &'a HistoryTable,
    clock: &'a Clock,
    attempt: Mutex<EventAttempt>,
    /// Held while the events are written anew.
    renewal: tokio::sync::Mutex<()>,
    /// For each event of the batch, true if the history has it.
    is_written: Vec<bool>,
}

impl History {
    pub(crate) fn new(table: HistoryTable) -> Self {
        Self { table, has_epoch: tokio::sync::Mutex::default() }
    }

    /// Writes the events of a batch into the history, and gives each its position.
    async fn record<'a>(&'a self, batch: &mut EventBatch<'_>, clock: &'a Clock) -> Recorded<'a> {
        let unwritten = EventAttempt::begin(self.table.timing(), clock.now());
        let at = unwritten.at();
        let events: Vec<&Event> = batch.assignments.iter().map(|assignment| &assignment.event).collect();
        let (written, ()) = tokio::join!(self.table.record(&events, at), self.begin_epoch(at));
        let mut is_written = Vec::with_capacity(written.len());
        for (assignment, position) in batch.assignments.iter_mut().zip(written) {
            is_written.push(position.is_ok());
            match position {
                Ok(position) => assignment.event.place(position),
                Err(error) => {
                    metrics::not_recorded();
                    tracing::error!(event_id = assignment.event.id(), %error, "the history does not have the event");
                }
            }
        }
        let attempt = unwritten.written(is_written.contains(&true));
        let (attempt, renewal) = (Mutex::new(attempt), tokio::sync::Mutex::new(()));
        Recorded { table: &self.table, clock, attempt, renewal, is_written }
    }

    /// Begins the epoch with the first event of the instance. Clients that come back are told that they may have missed events
    /// until it has begun. A function of a former deployment may end it meanwhile, so this is repeated.
    async fn begin_epoch(&self, now: EpochMillis) {
        // Another invocation that is at it needs no help, and no event waits for the epoch longer than for its own item.
        let Ok(mut has_epoch) = self.has_epoch.try_lock() else { return };
        if has_epoch.is_some_and(|at| now.since(at) < DEPLOYMENT) {
            return;
        }
        match timeout(self.table.timing().write, self.table.begin_epoch(now)).await {
            Ok(Ok(())) => *has_epoch = Some(now),
            Ok(Err(error)) => tracing::warn!(%error, "the epoch of the history cannot be written"),
            Err(_) => tracing::warn!("the epoch of the history cannot be written in time"),
        }
    }
}

impl<'a> Recording<'a> {
    /// Writes the events of a batch, before their audience is read. The history has what each event did to the state of its entity.
    pub(crate) async fn of(
        (history, former): (Option<&'a History>, Option<&FormerHistory>),
        batch: &mut EventBatch<'_>,
        clock: &'a Clock,
    ) -> Self {
        let is_former_over = match former {
            Some(former) => former.has_ended(clock.now()).await,
            None => true,
        };
        let history = match history {
            Some(history) => Some(history.record(batch, clock).await),
            None => None,
        };
        Self { history, is_former_over }
    }

    async fn permit(&self, batch: &EventBatch<'_>, time: Duration) -> Option<Instant> {
        let recorded = self.history.as_ref()?;
        loop {
            if let Some(permitted) = recorded.permitted(time) {
                return permitted;
            }
            let _renewal = recorded.renewal.lock().await;
            // Another delivery may have renewed the attempt meanwhile.
            if let Some(permitted) = recorded.permitted(time) {
                return permitted;
            }
            recorded.renew(batch).await;
        }
    }

    /// Returns the failure of an event that Lambda has to repeat because the history or the state of its entity does not have it.
    pub(crate) fn failure(&self, batch: &EventBatch<'_>, event: usize) -> Option<Failure> {
        if !batch.assignments[event].is_stored {
            return Some(Failure::new(NOT_STORED, "the state of the entity could not be written"));
        }
        if !self.is_former_over {
            return Some(Failure::new(NOT_RECORDED, "the epoch of the former history could not be ended"));
        }
        let recorded = self.history.as_ref()?;
        let attempt = *recorded.attempt.lock().unwrap_or_else(PoisonError::into_inner);
        let is_recorded = recorded.is_written[event] && attempt.may_succeed();
        (!is_recorded).then(|| Failure::new(NOT_RECORDED, "the event could not be written into the history"))
    }
}

impl Recorded<'_> {
    /// `None`: the events have to be written anew.
    fn permitted(&self, time: Duration) -> Option<Option<Instant>> {
        let now = self.clock.now();
        match self.attempt.lock().unwrap_or_else(PoisonError::into_inner).permit(now, time) {
            Permit::Until(until) => Some(Some(Instant::now() + until.since(now))),
            Permit::Unrecorded => Some(None),
            Permit::Renew => None,
        }
    }

    async fn renew(&self, batch: &EventBatch<'_>) {
        let events: Vec<&Event> = batch
            .assignments
            .iter()
            .zip(&self.is_written)
            .filter(|(_, is_written)| **is_written)
            .map(|(assignment, _)| &assignment.event)
            .collect();
        let at = self.clock.now();
        let failed = self.table.record(&events, at).await.into_iter().find_map(Result::err);
        if let Some(error) = &failed {
            metrics::not_recorded();
            tracing::error!(%error, "the history does not have the events of an attempt that lasts");
        }
        self.attempt.lock().unwrap_or_else(PoisonError::into_inner).renewed(at, failed.is_none());
    }
}
