//! Reads the events of a tenant since a time.
//!
//! **Invariant.** The result holds each event whose item was written before the read began and whose position is not earlier
//! than its start, once, in the order of positions; an event with several positions stands at the last one. All reads have
//! strong consistency. A read that would exceed its bounds of bytes or time fails, and never returns a part.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_dynamodb::types::ReturnConsumedCapacity;
use entity_stream_protocol::limits::HISTORY_BYTES;
use entity_stream_protocol::{EpochMillis, Position, Tenant};
use futures_util::stream::BoxStream;
use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::time::timeout;

use crate::error::HistoryError;
use crate::keys::{HistoryItem, PARTITION_KEY, SHARDS, SORT_KEY, partition, span, string};
use crate::read_plan::{ReadPlan, SliceNumber, slice_of, start_of};
use crate::slices::KnownSlices;
use crate::stored_event::{PastEvent, from_item};
use crate::table::HistoryTable;

/// The partitions that are read at the same time.
const AT_ONCE: usize = 8;
/// The longest time of a read.
const TIME: Duration = Duration::from_secs(5);
const OPERATION: &str = "Query";

/// Reads the history, and keeps what does not change any more.
#[derive(Debug)]
pub struct HistoryReader {
    table: HistoryTable,
    known: KnownSlices,
}

/// What a read found.
#[derive(Clone, Debug, Default)]
pub struct PastEvents {
    /// The events, oldest first.
    pub events: Vec<Arc<PastEvent>>,
    /// The read capacity units that DynamoDB charged.
    pub read_capacity: f64,
}

impl HistoryReader {
    /// Reads this table.
    pub fn new(table: HistoryTable) -> Self {
        Self { table, known: KnownSlices::default() }
    }

    /// The table.
    pub fn table(&self) -> &HistoryTable {
        &self.table
    }

    /// The events of a tenant from `from` until now.
    ///
    /// # Errors
    /// [`HistoryError::TooMuch`] if they have more than `most_bytes`, or more than 16 MB; [`HistoryError::Dynamo`] or
    /// [`HistoryError::TimedOut`].
    pub async fn read(
        &self,
        tenant: &Tenant,
        from: EpochMillis,
        now: EpochMillis,
        most_bytes: usize,
    ) -> Result<PastEvents, HistoryError> {
        let read = self.read_slices(tenant, from, now, most_bytes.min(HISTORY_BYTES));
        timeout(TIME, read).await.unwrap_or(Err(HistoryError::TimedOut { operation: OPERATION }))
    }

    async fn read_slices(
        &self,
        tenant: &Tenant,
        from: EpochMillis,
        now: EpochMillis,
        most_bytes: usize,
    ) -> Result<PastEvents, HistoryError> {
        let mut found = Gathered { most_bytes, ..Gathered::default() };
        let plan = ReadPlan::new(self.table.timing, from, now);
        let mut missing: Vec<Range<SliceNumber>> = Vec::new();
        for slice in plan.closed() {
            match self.known.get(tenant, slice) {
                Some(events) => found.add(events.iter().cloned())?,
                None => match missing.last_mut() {
                    Some(run) if run.end == slice => run.end += 1,
                    _ => missing.push(slice..slice + 1),
                },
            }
        }
        for run in missing {
            let events = self.query(tenant, start_of(run.start)..start_of(run.end), &mut found).await?;
            let mut slices: HashMap<SliceNumber, Vec<Arc<PastEvent>>> = HashMap::new();
            for event in events {
                slices.entry(slice_of(event.at)).or_default().push(event);
            }
            for slice in run {
                self.known.put(tenant, slice, slices.remove(&slice).unwrap_or_default().into());
            }
        }
        self.query(tenant, plan.open(), &mut found).await?;
        found.events.retain(|event| event.at >= from);
        Ok(found.finish())
    }

    /// Reads the events of a time from the table, in the order of their positions, and adds them to what was found.
    async fn query(
        &self,
        tenant: &Tenant,
        time: Range<EpochMillis>,
        found: &mut Gathered,
    ) -> Result<Vec<Arc<PastEvent>>, HistoryError> {
        let keys = Arc::new((Position::new(time.start, 0), Position::new(time.end, 0)));
        let mut partitions = Vec::new();
        for span in span(time.start)..=span(time.end) {
            for shard in 0..SHARDS {
                let name = partition(tenant, span, shard);
                partitions.push(PartitionPages { table: self.table.clone(), name, keys: Arc::clone(&keys) }.pages());
            }
        }
        let mut pages = stream::iter(partitions).flatten_unordered(AT_ONCE);
        let mut events = Vec::new();
        while let Some(Page { events: page, read_capacity }) = pages.try_next().await? {
            found.read_capacity += read_capacity;
            found.add(page.iter().cloned())?;
            events.extend(page);
        }
        events.sort_by(|one, other| one.event.position().cmp(&other.event.position()));
        Ok(events)
    }
}

/// One partition between two positions, the second one excluded.
struct PartitionPages {
    table: HistoryTable,
    name: String,
    keys: Arc<(Position, Position)>,
}

struct Page {
    events: Vec<Arc<PastEvent>>,
    read_capacity: f64,
}

/// The place from which to read on.
enum PageStart {
    Start,
    After(HistoryItem),
    Finished,
}

impl PartitionPages {
    fn pages(self) -> BoxStream<'static, Result<Page, HistoryError>> {
        let start = (self, PageStart::Start);
        stream::try_unfold(start, async |(this, next)| {
            let start = match next {
                PageStart::Start => None,
                PageStart::After(key) => Some(key),
                PageStart::Finished => return Ok(None),
            };
            let (page, next) = this.page(start).await?;
            Ok(Some((page, (this, next))))
        })
        .boxed()
    }

    async fn page(&self, start: Option<HistoryItem>) -> Result<(Page, PageStart), HistoryError> {
        let (first, end) = &*self.keys;
        let query = self.table.client.query().table_name(&self.table.name).consistent_read(true);
        let query = query
            .key_condition_expression("#pk = :pk AND #sk BETWEEN :first AND :end")
            .expression_attribute_names("#pk", PARTITION_KEY)
            .expression_attribute_names("#sk", SORT_KEY)
            .expression_attribute_values(":pk", string(&self.name))
            .expression_attribute_values(":first", string(first.as_str()))
            .expression_attribute_values(":end", string(end.as_str()))
            .set_exclusive_start_key(start)
            .return_consumed_capacity(ReturnConsumedCapacity::Total);
        let output = query.send().await.map_err(HistoryError::dynamo(OPERATION))?;
        let read_capacity = output.consumed_capacity().and_then(|used| used.capacity_units()).unwrap_or_default();
        let events = output.items().iter().filter_map(|item| from_item(item).map(Arc::new));
        let events = events.filter(|event| event.event.position() < Some(end)).collect();
        let next =
            output.last_evaluated_key.filter(|key| !key.is_empty()).map_or(PageStart::Finished, PageStart::After);
        Ok((Page { events, read_capacity }, next))
    }
}

#[derive(Default)]
struct Gathered {
    events: Vec<Arc<PastEvent>>,
    bytes: usize,
    most_bytes: usize,
    read_capacity: f64,
}

impl Gathered {
    fn add(&mut self, events: impl Iterator<Item = Arc<PastEvent>>) -> Result<(), HistoryError> {
        for event in events {
            self.bytes += event.bytes;
            self.events.push(event);
        }
        if self.bytes > self.most_bytes { Err(HistoryError::TooMuch) } else { Ok(()) }
    }

    /// Each event once, at its last position.
    fn finish(mut self) -> PastEvents {
        self.events.sort_by(|one, other| one.event.position().cmp(&other.event.position()));
        let last: HashMap<String, usize> =
            self.events.iter().enumerate().map(|(index, event)| (event.event.id().to_owned(), index)).collect();
        let is_last = |index: usize, event: &PastEvent| last.get(event.event.id()) == Some(&index);
        let events = self.events.iter().enumerate().filter(|(index, event)| is_last(*index, event));
        PastEvents { events: events.map(|(_, event)| Arc::clone(event)).collect(), read_capacity: self.read_capacity }
    }
}
