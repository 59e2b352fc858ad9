use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};

/// The waits between attempts at requests that the SDK does not retry by itself: from 10 ms to 640 ms, with jitter.
pub(crate) fn delays(attempts: usize) -> impl Iterator<Item = Duration> {
    ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(10))
        .with_max_delay(Duration::from_millis(640))
        .with_jitter()
        .with_max_times(attempts)
        .build()
}
