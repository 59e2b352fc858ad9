use std::time::Duration;

use entity_stream_connections::HashRange;
use entity_stream_publisher::limits::REQUEST_BYTES;
use entity_stream_publisher::{BusEntry, Publisher};
use entity_stream_runtime::Failure;
use serde::Serialize;
use serde_json::value::RawValue;
use tokio::time::Instant;

use crate::assignment::Assignment;
use crate::continuation::{CONTINUATION_DETAIL_TYPE, CONTINUATION_SOURCE, Continuation, ContinuationEnvelope, RANGES};
use crate::dead_letters::DeadLetterQueue;

/// The number of times that an event is handed on before its rest becomes a dead letter.
const MAX_DEPTH: u32 = 8;
/// The most bytes of a range in JSON.
const RANGE_BYTES: usize = 40;
/// The most bytes of a continuation event besides the published event and the ranges.
const CONTINUATION_BYTES: usize = 200;
/// The time that the bus has to accept continuations. It is less than the time that an invocation keeps for this purpose.
const PUBLISH_TIMEOUT: Duration = Duration::from_millis(2500);
/// The error code of the rest of an event: of dead letters, and of failures if nothing can take the rest.
const INCOMPLETE: &str = "DeliveryIncomplete";

/// The destinations of events that an invocation cannot deliver.
#[derive(Clone, Debug)]
pub(crate) struct Outlets {
    /// The bus for continuation events. Without it, an event that one invocation cannot finish fails, and Lambda retries
    /// the whole event.
    pub(crate) bus: Option<Publisher>,
    /// The queue for malformed events, and for events that were handed on too often. Without it, the function only logs
    /// malformed events.
    pub(crate) dead_letters: Option<DeadLetterQueue>,
}

/// Passes on the part of one event's audience that this invocation does not serve.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Handover<'a> {
    assignment: &'a Assignment<'a>,
    /// Absent if the event is too large for a continuation.
    bus: Option<&'a Publisher>,
    dead_letters: Option<&'a DeadLetterQueue>,
}

impl<'a> Handover<'a> {
    pub(crate) fn new(assignment: &'a Assignment<'a>, outlets: &'a Outlets) -> Self {
        let fits = assignment.published.len() + RANGES * RANGE_BYTES + CONTINUATION_BYTES <= REQUEST_BYTES;
        Self { assignment, bus: outlets.bus.as_ref().filter(|_| fits), dead_letters: outlets.dead_letters.as_ref() }
    }

    /// Returns whether other invocations can serve a part of the audience.
    pub(crate) fn can_split(&self) -> bool {
        self.bus.is_some() && self.assignment.depth < MAX_DEPTH
    }

    /// Hands on parts of the audience, each to one invocation. Returns the number of continuation events.
    ///
    /// # Errors
    /// If the bus does not accept all of them.
    pub(crate) async fn split(&self, parts: &[HashRange]) -> Result<usize, Failure> {
        match self.bus {
            Some(bus) if !parts.is_empty() => self.publish(bus, parts.chunks(1)).await,
            _ => Ok(0),
        }
    }

    /// Hands on the rest of the event. After too many times the rest becomes a dead letter, with which the function can be
    /// invoked again. Returns the number of continuation events.
    ///
    /// # Errors
    /// If neither the bus nor the queue accepts the rest.
    pub(crate) async fn leave_rest(&self, rest: Vec<HashRange>, reason: String) -> Result<usize, Failure> {
        let rest = HashRange::merge(rest);
        if rest.is_empty() {
            return Ok(0);
        }
        let Some(bus) = self.bus else { return Err(Failure::new(INCOMPLETE, reason)) };
        if self.can_split() {
            tracing::warn!(reason, ranges = rest.len(), "handing on the rest of an event");
            return self.publish(bus, rest.chunks(RANGES)).await;
        }
        let reason = format!("{reason}; the event was handed on {MAX_DEPTH} times");
        let Some(queue) = self.dead_letters else { return Err(Failure::new(INCOMPLETE, reason)) };
        tracing::error!(reason, "sending the rest of an event to the dead-letter queue");
        queue.send(&self.dead_letter(rest)?, INCOMPLETE, &reason).await?;
        Ok(0)
    }

    async fn publish<'r>(
        &self,
        bus: &Publisher,
        parts: impl ExactSizeIterator<Item = &'r [HashRange]>,
    ) -> Result<usize, Failure> {
        let mut entries = Vec::with_capacity(parts.len());
        for ranges in parts {
            let detail = to_json(&self.continuation(ranges.to_vec(), self.assignment.depth + 1)?)?;
            entries.push(BusEntry::new(CONTINUATION_SOURCE, CONTINUATION_DETAIL_TYPE, detail));
        }
        let results = bus.publish(&entries, Instant::now() + PUBLISH_TIMEOUT).await;
        match results.into_iter().find_map(Result::err) {
            Some(error) => Err(unavailable(format!("the event bus did not accept a continuation: {error}"))),
            None => Ok(entries.len()),
        }
    }

    /// Returns the rest as an event with which the function can be invoked, as if it had not been handed on before.
    fn dead_letter(&self, rest: Vec<HashRange>) -> Result<String, Failure> {
        let time = self.assignment.published_at.to_rfc3339();
        to_json(&ContinuationEnvelope::new(self.assignment.event.id(), &time, self.continuation(rest, 0)?))
    }

    fn continuation(&self, ranges: Vec<HashRange>, depth: u32) -> Result<Continuation<&RawValue>, Failure> {
        let event = serde_json::from_str(&self.assignment.published).map_err(|error| unavailable(error.to_string()))?;
        Ok(Continuation { change_type: self.assignment.event.change().change_type, event, ranges, depth })
    }
}

fn to_json(value: &impl Serialize) -> Result<String, Failure> {
    serde_json::to_string(value).map_err(|error| unavailable(error.to_string()))
}

fn unavailable(message: String) -> Failure {
    Failure::new("EventBusUnavailable", message)
}
