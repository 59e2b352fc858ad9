//! Reads the events of a tenant since a time.
//!
//! **Invariant.** The result holds each event whose item was written before the read began and whose position is not earlier
//! than its start, once, in the order of positions; an event with several positions stands at the last one. A read that would
//! exceed its bounds of bytes or time fails, and never returns a part.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use entity_stream_protocol::limits::HISTORY_BYTES;
use entity_stream_protocol::{EpochMillis, Tenant};
use tokio::time::timeout;

use crate::error::HistoryError;
use crate::query::{FoundEvents, OPERATION, last_positions, query};
use crate::read_plan::{ReadPlan, SliceNumber, slice_of, start_of};
use crate::shared_reads::{OpenPart, SharedReads, TIME, TenantReads, TooLarge};
use crate::slices::{KnownSlices, SliceEvents};
use crate::stored_event::PastEvent;
use crate::table::HistoryTable;

/// The most slices that are read at once: 20 minutes. Other requests of the tenant then have their turn.
const RUN: SliceNumber = 40;

/// Reads the history, and keeps the part that does not change any more. Requests at the same time share reads.
#[derive(Debug)]
pub struct HistoryReader {
    table: HistoryTable,
    known: KnownSlices,
    reads: SharedReads,
}

/// The result of a read.
#[derive(Clone, Debug, Default)]
pub struct PastEvents {
    /// The events, oldest first.
    pub events: Vec<Arc<PastEvent>>,
    /// The read capacity units that DynamoDB charged. Each request that shares a read has its units.
    pub read_capacity: f64,
}

impl HistoryReader {
    /// Reads this table.
    pub fn new(table: HistoryTable) -> Self {
        Self { table, known: KnownSlices::default(), reads: SharedReads::default() }
    }

    /// The table.
    pub fn table(&self) -> &HistoryTable {
        &self.table
    }

    /// The events of a tenant from `from` until now.
    ///
    /// # Errors
    /// [`HistoryError::TooMuch`] if they have more than `most_bytes`, or more than 16 MB; [`HistoryError::Unreadable`];
    /// [`HistoryError::Dynamo`] or [`HistoryError::TimedOut`].
    pub async fn read(
        &self,
        tenant: &Tenant,
        from: EpochMillis,
        now: EpochMillis,
        most_bytes: usize,
    ) -> Result<PastEvents, HistoryError> {
        let read = self.read_parts(tenant, from, now, most_bytes.min(HISTORY_BYTES));
        timeout(TIME, read).await.unwrap_or(Err(HistoryError::TimedOut { operation: OPERATION }))
    }

    async fn read_parts(
        &self,
        tenant: &Tenant,
        from: EpochMillis,
        now: EpochMillis,
        most_bytes: usize,
    ) -> Result<PastEvents, HistoryError> {
        let plan = ReadPlan::new(self.table.timing, from, now);
        let reads = self.reads.of(&self.table, tenant);
        let mut gathered = Gathered { parts: Vec::new(), left: most_bytes, read_capacity: 0.0 };
        let mut closed = plan.closed();
        while !closed.is_empty() {
            if let Some(events) = self.known.get(tenant, closed.start) {
                gathered.add(events)?;
                closed.start += 1;
            } else {
                closed.start = self.read_closed(&reads, tenant, closed.clone(), &mut gathered).await?;
            }
        }
        let (time, start) = (plan.open(), plan.open().start);
        let FoundEvents { events, read_capacity } = reads.open(OpenPart { time, most_bytes }).await?;
        gathered.read_capacity += read_capacity;
        let events = match events.partition_point(|event| event.at < start) {
            0 => events,
            before => events[before..].into(),
        };
        gathered.add(events)?;
        Ok(gathered.since(from))
    }

    /// Reads the first ones of these slices, unless another request has just read them. Returns the first slice that is not
    /// gathered then.
    async fn read_closed(
        &self,
        reads: &TenantReads,
        tenant: &Tenant,
        slices: Range<SliceNumber>,
        gathered: &mut Gathered,
    ) -> Result<SliceNumber, HistoryError> {
        let mut too_large = reads.closed.lock().await;
        let is_known = |slice: &SliceNumber| self.known.get(tenant, *slice).is_some();
        let end = (slices.start..slices.end.min(slices.start + RUN)).find(is_known);
        let run = slices.start..end.unwrap_or(slices.end.min(slices.start + RUN));
        if run.is_empty() {
            return Ok(run.end);
        }
        if let Some(TooLarge { slices, bytes }) = &*too_large
            && run.start <= slices.start
            && slices.end <= run.end
            && gathered.left <= *bytes
        {
            return Err(HistoryError::TooMuch);
        }
        let found = query(&self.table, tenant, &(start_of(run.start)..start_of(run.end)), gathered.left).await;
        if let Err(HistoryError::TooMuch) = found {
            *too_large = Some(TooLarge { slices: run.clone(), bytes: gathered.left });
        }
        let FoundEvents { events, read_capacity } = found?;
        gathered.read_capacity += read_capacity;
        let mut by_slice: HashMap<SliceNumber, Vec<Arc<PastEvent>>> = HashMap::new();
        for event in events.iter() {
            by_slice.entry(slice_of(event.at)).or_default().push(Arc::clone(event));
        }
        for slice in run.clone() {
            let events: SliceEvents = by_slice.remove(&slice).unwrap_or_default().into();
            self.known.put(tenant, slice, Arc::clone(&events));
            gathered.add(events)?;
        }
        Ok(run.end)
    }
}

/// The parts of a read, oldest first.
struct Gathered {
    parts: Vec<SliceEvents>,
    /// The bytes that further parts may have.
    left: usize,
    read_capacity: f64,
}

impl Gathered {
    fn add(&mut self, events: SliceEvents) -> Result<(), HistoryError> {
        let bytes = events.iter().map(|event| event.bytes).sum();
        self.left = self.left.checked_sub(bytes).ok_or(HistoryError::TooMuch)?;
        if !events.is_empty() {
            self.parts.push(events);
        }
        Ok(())
    }

    /// Each event since a time once, at its last position.
    fn since(self, from: EpochMillis) -> PastEvents {
        let most = self.parts.iter().map(|events| events.len()).sum();
        let events = self.parts.iter().flat_map(|events| events.iter()).filter(|event| event.at >= from);
        PastEvents { events: last_positions(events, most), read_capacity: self.read_capacity }
    }
}
