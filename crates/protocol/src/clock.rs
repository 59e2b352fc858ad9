use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A moment in milliseconds since the Unix epoch, as API Gateway gives `connectedAt`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EpochMillis(u64);

impl EpochMillis {
    /// A moment from its milliseconds. API Gateway's are signed in the SDK's types; what lies before 1970 becomes 1970.
    pub fn new(millis: i64) -> Self {
        Self(u64::try_from(millis).unwrap_or(0))
    }

    /// The milliseconds since the epoch.
    pub fn millis(self) -> u64 {
        self.0
    }

    /// The whole seconds since the epoch, rounded down: the unit of DynamoDB's TTL and of `exp` in a token.
    pub fn seconds(self) -> u64 {
        self.0 / 1000
    }

    /// The moment in RFC 3339, to the second, in UTC.
    pub fn to_rfc3339(self) -> String {
        let seconds = i64::try_from(self.seconds()).unwrap_or(i64::MAX);
        jiff::Timestamp::from_second(seconds).unwrap_or(jiff::Timestamp::MAX).strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
    }

    /// This much later.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)))
    }

    /// How long after `earlier` this is; zero if it is not.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl From<SystemTime> for EpochMillis {
    fn from(time: SystemTime) -> Self {
        let since_epoch = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX))
    }
}

impl From<EpochMillis> for SystemTime {
    fn from(time: EpochMillis) -> Self {
        // A moment that the system cannot represent is one that nothing of ours comes near.
        UNIX_EPOCH.checked_add(Duration::from_millis(time.0)).unwrap_or(UNIX_EPOCH)
    }
}

/// Where the time of day comes from. Everything that expires asks a clock that it is given, so that tests can choose the
/// time; nothing else in the house calls `SystemTime::now`.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> EpochMillis + Send + Sync>);

impl Clock {
    /// The machine's clock.
    #[allow(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
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
