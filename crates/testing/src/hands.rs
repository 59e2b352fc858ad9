use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use entity_stream_clock::Clock;

/// The hands of a clock that the test moves. The clock starts at the time of the machine.
#[derive(Clone, Debug)]
pub struct Hands {
    base: Clock,
    seconds: Arc<AtomicU64>,
}

impl Default for Hands {
    fn default() -> Self {
        let start = Clock::system().now();
        Self { base: Clock::new(move || start), seconds: Arc::default() }
    }
}

impl Hands {
    /// The hands of a clock that also goes by itself.
    pub fn running() -> Self {
        Self { base: Clock::system(), seconds: Arc::default() }
    }

    /// Returns the clock.
    pub fn clock(&self) -> Clock {
        let Self { base, seconds } = self.clone();
        Clock::new(move || base.now().plus(Duration::from_secs(seconds.load(Ordering::SeqCst))))
    }

    /// Moves the clock forward.
    pub fn forward(&self, seconds: u64) {
        self.seconds.fetch_add(seconds, Ordering::SeqCst);
    }
}
