use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use entity_stream_protocol::EpochMillis;

/// The source of the time of day. Code that needs the time receives a clock, so that tests can choose the time. No other
/// code calls `SystemTime::now`.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> EpochMillis + Send + Sync>);

impl Clock {
    /// The machine's clock.
    #[expect(clippy::disallowed_methods, reason = "all other code asks this clock")]
    pub fn system() -> Self {
        Self::new(|| SystemTime::now().into())
    }

    /// A clock that shows the result of `read`.
    pub fn new(read: impl Fn() -> EpochMillis + Send + Sync + 'static) -> Self {
        Self(Arc::new(read))
    }

    /// The current time.
    pub fn now(&self) -> EpochMillis {
        (self.0)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Clock({:?})", self.now())
    }
}
