use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use crate::epoch_millis::EpochMillis;

/// Where the time of day comes from. Everything that expires asks a clock that it is given, so that tests can choose the
/// time; nothing else in the house calls `SystemTime::now`.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> EpochMillis + Send + Sync>);

impl Clock {
    /// The machine's clock.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
    pub fn system() -> Self {
        Self::new(|| SystemTime::now().into())
    }

    /// A clock that shows what `read` returns.
    pub fn new(read: impl Fn() -> EpochMillis + Send + Sync + 'static) -> Self {
        Self(Arc::new(read))
    }

    /// The time it shows.
    pub fn now(&self) -> EpochMillis {
        (self.0)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Clock({:?})", self.now())
    }
}
