//! The history that a former deployment wrote into the table of the entity states, while this one keeps none.
//!
//! Invariant: an event that is in no history succeeds only after the epoch of the former history has ended. So a later deployment
//! that keeps a history again begins a new epoch, and no client is told that it missed nothing.

use entity_stream_history::{DEPLOYMENT, HistoryError, HistoryTable};
use entity_stream_protocol::EpochMillis;
use tokio::sync::Mutex;
use tokio::time::timeout;

/// The history of a former deployment.
#[derive(Debug)]
pub(crate) struct FormerHistory {
    table: HistoryTable,
    ended_at: Mutex<Option<EpochMillis>>,
}

impl FormerHistory {
    pub(crate) fn new(table: HistoryTable) -> Self {
        Self { table, ended_at: Mutex::default() }
    }

    /// Ends the epoch with the first event of the instance, and again after the time of a deployment: a new instance of the former
    /// deployment may have begun another epoch meanwhile, which promises nothing earlier. Returns whether it has ended.
    pub(crate) async fn has_ended(&self, now: EpochMillis) -> bool {
        match timeout(self.table.timing().write, self.end(now)).await {
            Ok(Ok(())) => true,
            Ok(Err(error)) => {
                tracing::error!(%error, "the epoch of the former history cannot be ended");
                false
            }
            Err(_) => {
                tracing::error!("the epoch of the former history cannot be ended in time");
                false
            }
        }
    }

    async fn end(&self, now: EpochMillis) -> Result<(), HistoryError> {
        let mut ended_at = self.ended_at.lock().await;
        if ended_at.is_some_and(|at| now.since(at) < DEPLOYMENT) {
            return Ok(());
        }
        self.table.end_epoch().await?;
        *ended_at = Some(now);
        Ok(())
    }
}
