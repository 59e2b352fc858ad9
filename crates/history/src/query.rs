//! Reads the events of a time from the table.
//!
//! **Invariant.** The result holds each event whose item was written before the read began, in the order of positions; an event
//! with several positions stands once, at the last one. All reads have strong consistency. A read of more than its bytes fails,
//! and never returns a part; so does a read that meets an item that it does not understand.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;

use aws_sdk_dynamodb::types::ReturnConsumedCapacity;
use entity_stream_protocol::{EpochMillis, Position, Tenant};
use futures_util::stream::BoxStream;
use futures_util::{StreamExt, TryStreamExt, stream};

use crate::error::HistoryError;
use crate::keys::{HistoryItem, PARTITION_KEY, SHARDS, SORT_KEY, partition, span, string};
use crate::slices::SliceEvents;
use crate::stored_event::{PastEvent, from_item};
use crate::table::HistoryTable;

/// The name of the operation in errors.
pub(crate) const OPERATION: &str = "Query";
/// The partitions that are read at the same time.
const AT_ONCE: usize = 8;

/// The events of a time.
#[derive(Clone, Debug)]
pub(crate) struct FoundEvents {
    pub(crate) events: SliceEvents,
    /// The read capacity units that DynamoDB charged.
    pub(crate) read_capacity: f64,
}

/// Reads the events of a tenant, at most so many bytes.
pub(crate) async fn query(
    table: &HistoryTable,
    tenant: &Tenant,
    time: &Range<EpochMillis>,
    most_bytes: usize,
) -> Result<FoundEvents, HistoryError> {
    let keys = Arc::new((Position::new(time.start, 0), Position::new(time.end, 0)));
    let mut partitions = Vec::new();
    for span in span(time.start)..=span(time.end) {
        for shard in 0..SHARDS {
            let name = partition(tenant, span, shard);
            partitions.push(PartitionPages { table: table.clone(), name, keys: Arc::clone(&keys) }.pages());
        }
    }
    let mut pages = stream::iter(partitions).flatten_unordered(AT_ONCE);
    let (mut events, mut bytes, mut read_capacity) = (Vec::new(), 0, 0.0);
    while let Some(page) = pages.try_next().await? {
        read_capacity += page.read_capacity;
        bytes += page.events.iter().map(|event| event.bytes).sum::<usize>();
        if bytes > most_bytes {
            return Err(HistoryError::TooMuch);
        }
        events.extend(page.events);
    }
    events.sort_by(|one, other| one.event.position().cmp(&other.event.position()));
    let events = last_positions(events.iter(), events.len());
    Ok(FoundEvents { events: events.into(), read_capacity })
}

/// Each event once, at its last position. The events are in the order of their positions; there are at most so many.
pub(crate) fn last_positions<'a>(
    events: impl DoubleEndedIterator<Item = &'a Arc<PastEvent>>,
    most: usize,
) -> Vec<Arc<PastEvent>> {
    let mut seen = HashSet::with_capacity(most);
    let mut last = Vec::with_capacity(most);
    last.extend(events.rev().filter(|past| seen.insert(past.event.id())).cloned());
    last.reverse();
    last
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
        let events = output.items().iter().map(|item| from_item(item).map(Arc::new).ok_or(HistoryError::Unreadable));
        let events = events.filter(|event| !event.as_ref().is_ok_and(|event| event.event.position() >= Some(end)));
        let events = events.collect::<Result<_, _>>()?;
        let next =
            output.last_evaluated_key.filter(|key| !key.is_empty()).map_or(PageStart::Finished, PageStart::After);
        Ok((Page { events, read_capacity }, next))
    }
}
