use entity_stream_protocol::{EntityChange, EpochMillis, micros_of_rfc3339};
use serde::Deserialize;
use serde_json::Value;

/// The most by which the clock of a publisher may be ahead.
const AHEAD: i64 = 5 * 60 * 1_000_000;

/// When something changed, in microseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ChangeTime(pub(crate) i64);

/// The times that an attribute can have of its own.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OwnTimes {
    observed_at: Option<Value>,
    modified_at: Option<Value>,
}

impl ChangeTime {
    /// Before every change.
    pub(crate) const NEVER: Self = Self(i64::MIN);

    /// The time of a change that arrived at this time: its timestamp, or the arrival if that cannot be read or is more than five
    /// minutes ahead.
    pub(crate) fn of_change(change: &EntityChange, arrival: EpochMillis) -> Self {
        let arrival = Self::from_millis(arrival);
        change.timestamp.as_deref().and_then(|text| Self::read(text, arrival)).unwrap_or(arrival)
    }

    /// The time of an attribute of a change: its own `observedAt` or `modifiedAt`, else that of the change. Its own time counts as the
    /// arrival if it cannot be read or is more than five minutes ahead.
    pub(crate) fn of_attribute(attribute: &str, of_change: Self, arrival: EpochMillis) -> Self {
        own_time(attribute).map_or(of_change, |own| {
            let arrival = Self::from_millis(arrival);
            own.as_str().and_then(|text| Self::read(text, arrival)).unwrap_or(arrival)
        })
    }

    /// The last time before this one.
    pub(crate) fn before(self) -> Self {
        Self(self.0.saturating_sub(1))
    }

    fn from_millis(at: EpochMillis) -> Self {
        Self(i64::try_from(at.millis()).unwrap_or(i64::MAX / 1000).saturating_mul(1000))
    }

    fn read(text: &str, arrival: Self) -> Option<Self> {
        micros_of_rfc3339(text).map(Self).filter(|time| time.0 <= arrival.0.saturating_add(AHEAD))
    }
}

/// The `observedAt` or `modifiedAt` of an attribute, a text.
fn own_time(attribute: &str) -> Option<Value> {
    let may_have_one =
        attribute.starts_with('{') && (attribute.contains("observedAt") || attribute.contains("modifiedAt"));
    let own: OwnTimes = if may_have_one { serde_json::from_str(attribute).ok()? } else { return None };
    // A value that is an object can have anything of this name.
    [own.observed_at, own.modified_at].into_iter().flatten().find(Value::is_string)
}
