use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};

/// The longest wait between two attempts.
pub(crate) const LONGEST_DELAY: Duration = Duration::from_secs(1);

/// Returns the waits between two attempts to call `@connections`: exponential from 50 ms to 1 s, with jitter of up to the
/// same again. The iterator does not end; the caller stops at its own deadline.
pub fn backoff() -> impl Iterator<Item = Duration> {
    ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(50))
        .with_max_delay(LONGEST_DELAY)
        .with_jitter()
        .without_max_times()
        .build()
}
