use entity_stream_history::HistoryError;

/// Logs and counts that entity state cannot be read.
pub(crate) fn note_fault(error: &HistoryError) {
    tracing::error!(%error, "the entity state cannot be read");
    metrics::counter!("StateFaults").increment(1);
}
