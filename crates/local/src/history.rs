//! The history of the local system: its table, and since when it has each event.

use std::time::Duration;

use entity_stream_history::{HistoryError, HistoryTable};
use entity_stream_protocol::EpochMillis;
use entity_stream_runtime::HistoryConfig;

use crate::settings::{HISTORY_TABLE, aws_config};

/// What happened to the data before this start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DataAge {
    /// There was none: no event was published before this start.
    New,
    /// The system before this one delivered all that it had accepted.
    Complete,
    /// Events were accepted and lost.
    Incomplete,
}

/// Prepares the history for this start. Without a configuration the history is off, and what is left of it counts no longer.
pub(crate) async fn prepare(
    dynamodb_url: &str,
    config: Option<HistoryConfig>,
    age: DataAge,
    now: EpochMillis,
) -> Result<(), HistoryError> {
    let client = aws_sdk_dynamodb::Client::new(&aws_config(dynamodb_url));
    let Some(HistoryConfig { table, retention }) = config else {
        return HistoryTable::new(client, HISTORY_TABLE, Duration::ZERO).end_epoch().await;
    };
    let table = HistoryTable::new(client, table, retention);
    table.create_if_missing().await?;
    match age {
        DataAge::New => table.begin_epoch_at(EpochMillis::default()).await,
        // An epoch that has begun goes on.
        DataAge::Complete => table.begin_epoch_at(now).await,
        DataAge::Incomplete => {
            table.end_epoch().await?;
            table.begin_epoch_at(now).await
        }
    }
}
