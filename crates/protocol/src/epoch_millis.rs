use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::rfc3339::parse_rfc3339;

/// A moment in milliseconds since the Unix epoch, the unit of API Gateway's `connectedAt`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EpochMillis(u64);

impl EpochMillis {
    /// A moment from its milliseconds, which the SDK's types have as signed numbers. A time before 1970 becomes 1970.
    pub fn new(millis: i64) -> Self {
        Self(u64::try_from(millis).unwrap_or(0))
    }

    /// A moment from its whole seconds since the epoch.
    pub fn from_seconds(seconds: u64) -> Self {
        Self(seconds.saturating_mul(1000))
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

    /// The moment in RFC 3339, to the millisecond, in UTC.
    pub fn to_rfc3339_millis(self) -> String {
        let millis = i64::try_from(self.millis()).unwrap_or(i64::MAX);
        let time = jiff::Timestamp::from_millisecond(millis).unwrap_or(jiff::Timestamp::MAX);
        time.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
    }

    /// Reads a time in RFC 3339. `None` if the text has another form; a time before 1970 becomes 1970.
    pub fn from_rfc3339(text: &str) -> Option<Self> {
        let millis = parse_rfc3339(text)?.as_millis();
        Some(Self(u64::try_from(millis).unwrap_or(0)))
    }

    /// The moment after this duration.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)))
    }

    /// The moment before this duration; 1970 if it is earlier.
    #[must_use]
    pub fn minus(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)))
    }

    /// The time from `earlier` to this moment; zero if `earlier` is later.
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
        // A system cannot represent all moments. Moments of the contract are within a few hours from now.
        UNIX_EPOCH.checked_add(Duration::from_millis(time.0)).unwrap_or(UNIX_EPOCH)
    }
}
