//! The item that says since when the history is written.
//!
//! A deployment switches the history on over some minutes, in which functions of the former deployment still deliver events
//! that they do not write. So the epoch begins five minutes after the first write. Another retention begins a new epoch: events that
//! were written with a shorter one go sooner. A history that is switched off has an item without a beginning.

use std::time::Duration;

use entity_stream_protocol::EpochMillis;

use crate::epoch::Epoch;
use crate::error::HistoryError;
use crate::keys::{HistoryItem, PARTITION_KEY, epoch_key, get_number, number};
use crate::table::HistoryTable;

/// The time that a deployment takes until no function of the former one delivers events.
pub const DEPLOYMENT: Duration = Duration::from_secs(5 * 60);
const SINCE: &str = "since";
const RETENTION: &str = "retention";

impl HistoryTable {
    /// Begins the epoch of a history whose first event is written now, unless it has begun.
    ///
    /// # Errors
    /// [`HistoryError::Dynamo`]. Until it has begun, no client is told that it missed nothing.
    pub async fn begin_epoch(&self, now: EpochMillis) -> Result<(), HistoryError> {
        self.begin_epoch_at(now.plus(DEPLOYMENT)).await
    }

    /// The same for a history that has each event since this time.
    ///
    /// # Errors
    /// As [`HistoryTable::begin_epoch`].
    pub async fn begin_epoch_at(&self, since: EpochMillis) -> Result<(), HistoryError> {
        let mut item = epoch_key();
        item.insert(SINCE.to_owned(), number(since.millis()));
        item.insert(RETENTION.to_owned(), number(self.retention.as_secs()));
        let put = self.client.put_item().table_name(&self.name).set_item(Some(item));
        let put = put
            .condition_expression("attribute_not_exists(#pk) OR #retention <> :retention")
            .expression_attribute_names("#pk", PARTITION_KEY)
            .expression_attribute_names("#retention", RETENTION)
            .expression_attribute_values(":retention", number(self.retention.as_secs()));
        match put.send().await {
            Ok(_) => Ok(()),
            Err(error) if error.as_service_error().is_some_and(|e| e.is_conditional_check_failed_exception()) => Ok(()),
            Err(error) => Err(HistoryError::dynamo("PutItem")(error)),
        }
    }

    /// Ends the epoch: events before the next one are no longer promised, and any retention begins a new one. A table that does
    /// not exist has none.
    ///
    /// # Errors
    /// As [`HistoryTable::begin_epoch`].
    pub async fn end_epoch(&self) -> Result<(), HistoryError> {
        let mut item = epoch_key();
        item.insert(RETENTION.to_owned(), number(0));
        match self.client.put_item().table_name(&self.name).set_item(Some(item)).send().await {
            Ok(_) => Ok(()),
            Err(error) if error.as_service_error().is_some_and(|e| e.is_resource_not_found_exception()) => Ok(()),
            Err(error) => Err(HistoryError::dynamo("PutItem")(error)),
        }
    }

    /// The epoch; `None` if it has not begun.
    ///
    /// # Errors
    /// [`HistoryError::Dynamo`].
    pub async fn epoch(&self) -> Result<Option<Epoch>, HistoryError> {
        let get = self.client.get_item().table_name(&self.name).set_key(Some(epoch_key())).consistent_read(true);
        let output = get.send().await.map_err(HistoryError::dynamo("GetItem"))?;
        let read = |item: &HistoryItem| {
            let since = i64::try_from(get_number(item, SINCE)?).ok()?;
            let retention = Duration::from_secs(get_number(item, RETENTION)?).min(self.retention);
            Some(Epoch { since: EpochMillis::new(since), retention })
        };
        Ok(output.item().and_then(read))
    }
}
