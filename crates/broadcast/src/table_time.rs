use std::future::Future;
use std::time::Duration;

use entity_stream_connections::TableError;
use tokio::time::timeout;

/// The time that the table has to answer. After that an attempt fails, and Lambda repeats the event later: an invocation that
/// waits for a throttled table adds to its load.
pub(crate) const TABLE_TIME: Duration = Duration::from_secs(5);

/// Limits the time of one call of the table, its retries included.
pub(crate) async fn within_table_time<T>(
    operation: &'static str,
    call: impl Future<Output = Result<T, TableError>>,
) -> Result<T, TableError> {
    timeout(TABLE_TIME, call).await.unwrap_or(Err(TableError::TimedOut { operation }))
}
