use std::time::Duration;

use tokio::time::Instant;

/// The time that an invocation has to deliver.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline {
    /// All attempts end here.
    pub(crate) stop: Instant,
    /// Retries end this long after the last delivery, or after the last first attempt if that is later. `None`: they end
    /// at `stop`.
    pub(crate) patience: Option<Duration>,
}
