//! The history of the local system: its table, and since when it has each event.

use std::time::Duration;

use entity_stream_history::{HistoryError, HistoryTable};
use entity_stream_protocol::EpochMillis;
use entity_stream_runtime::HistoryConfig;

use crate::settings::{HISTORY_TABLE, aws_config};

/// Prepares the table of the history for this start. Without a configuration the history is off, and what is left of it counts
/// no longer. Without entity state, the entities of an earlier system would be out of date later. Events that an earlier system
/// accepted and lost end the epoch.
pub(crate) async fn prepare(
    dynamodb_url: &str,
    config: Option<HistoryConfig>,
    keeps_states: bool,
    has_lost_events: bool,
    now: EpochMillis,
) -> Result<(), HistoryError> {
    let client = aws_sdk_dynamodb::Client::new(&aws_config(dynamodb_url));
    if !keeps_states {
        HistoryTable::new(client.clone(), HISTORY_TABLE, Duration::ZERO).erase_states().await?;
    }
    let Some(HistoryConfig { table, retention }) = config else {
        let table = HistoryTable::new(client, HISTORY_TABLE, Duration::ZERO);
        if keeps_states {
            table.create_if_missing().await?;
        }
        return table.end_epoch().await;
    };
    let table = HistoryTable::new(client, table, retention);
    table.create_if_missing().await?;
    if has_lost_events {
        table.end_epoch().await?;
        // A rewind to before the start would miss them as well.
        return table.begin_epoch_at(now).await;
    }
    // An epoch that has begun goes on. A position of this process reaches back to before its start by the overlap; one of an
    // earlier process, farther.
    table.begin_epoch_at(now.minus(table.timing().overlap)).await
}
