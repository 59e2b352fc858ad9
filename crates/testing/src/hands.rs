use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use entity_stream_clock::Clock;
use entity_stream_protocol::EpochMillis;

/// The hands of a clock that the test moves. The clock starts at the time of the machine.
#[derive(Clone, Debug)]
pub struct Hands {
    start: EpochMillis,
    seconds: Arc<AtomicU64>,
}

impl Default for Hands {
    fn default() -> Self {
        Self { start: Clock::system().now(), seconds: Arc::default() }
    }
}

impl Hands {
    /// Returns the clock.
    pub fn clock(&self) -> Clock {
        let Self { start, seconds } = self.clone();
        Clock::new(move || start.plus(Duration::from_secs(seconds.load(Ordering::SeqCst))))
    }

    /// Moves the clock forward.
    pub fn forward(&self, seconds: u64) {
        self.seconds.fetch_add(seconds, Ordering::SeqCst);
    }
}
