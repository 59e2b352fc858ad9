//! Writes events into the history.

use std::time::Duration;

use aws_sdk_dynamodb::types::{PutRequest, WriteRequest};
use backon::{BackoffBuilder, ExponentialBuilder};
use entity_stream_protocol::{EpochMillis, Event, Position};
use futures_util::future::join_all;
use tokio::time::{sleep, timeout};

use crate::error::HistoryError;
use crate::keys::HistoryItem;
use crate::stored_event::to_item;
use crate::table::HistoryTable;

/// Most writes that `BatchWriteItem` takes at once.
pub(crate) const BATCH: usize = 25;
pub(crate) const OPERATION: &str = "BatchWriteItem";

impl HistoryTable {
    /// Writes events at one time, each at a position of its own, within [`crate::Timing::write`]. Returns the position of each
    /// event, or the reason why the history may not have it.
    pub async fn record(&self, events: &[&Event], at: EpochMillis) -> Vec<Result<Position, HistoryError>> {
        let positions: Vec<_> = events.iter().map(|_| self.new_position(at)).collect();
        let items: Vec<_> = events
            .iter()
            .zip(&positions)
            .map(|(event, position)| to_item(event, position, at, self.retention))
            .collect();
        let written = join_all(items.chunks(BATCH).map(|items| self.write_in_time(items))).await;
        let mut results = Vec::with_capacity(events.len());
        for (positions, written) in positions.chunks(BATCH).zip(written) {
            results.extend(positions.iter().map(|position| written.clone().map(|()| position.clone())));
        }
        results
    }

    async fn write_in_time(&self, items: &[HistoryItem]) -> Result<(), HistoryError> {
        let operation = if items.len() == 1 { "PutItem" } else { OPERATION };
        let write = async {
            match items {
                [only] => self.put(only.clone()).await,
                items => self.put_all(items).await,
            }
        };
        timeout(self.timing.write, write).await.unwrap_or(Err(HistoryError::TimedOut { operation }))
    }

    async fn put(&self, item: HistoryItem) -> Result<(), HistoryError> {
        let put = self.client.put_item().table_name(&self.name).set_item(Some(item));
        put.send().await.map(drop).map_err(HistoryError::dynamo("PutItem"))
    }

    /// Puts a batch, and repeats unprocessed items until DynamoDB takes them. The caller limits the time.
    async fn put_all(&self, items: &[HistoryItem]) -> Result<(), HistoryError> {
        let puts = items.iter().map(|item| {
            let put = PutRequest::builder().set_item(Some(item.clone())).build();
            put.map(|put| WriteRequest::builder().put_request(put).build())
        });
        let writes = puts.collect::<Result<_, _>>().map_err(HistoryError::invalid(OPERATION))?;
        self.write_all(writes).await
    }

    /// Makes up to [`BATCH`] writes, and repeats unprocessed ones until DynamoDB takes them.
    pub(crate) async fn write_all(&self, mut writes: Vec<WriteRequest>) -> Result<(), HistoryError> {
        let mut delays = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(20))
            .with_jitter()
            .without_max_times()
            .build();
        loop {
            let request = self.client.batch_write_item().request_items(&self.name, writes);
            let output = request.send().await.map_err(HistoryError::dynamo(OPERATION))?;
            writes = output.unprocessed_items.unwrap_or_default().into_values().flatten().collect();
            if writes.is_empty() {
                return Ok(());
            }
            sleep(delays.next().unwrap_or_default()).await;
        }
    }
}
