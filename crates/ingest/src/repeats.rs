//! Orders the changes of one entity in a notification.
//!
//! A notification can have an entity several times, in the order of its changes. The bus keeps no order, so their times have to
//! tell it.
//!
//! **Invariant.** A change is later than each earlier one in the notification, unless both have a time of the entity's own and its
//! own is older. The broker knows the order of its changes, so such a change stays late.

use std::collections::{BTreeMap, HashMap};

use entity_stream_protocol::{EntityChange, micros_of_rfc3339, rfc3339_of_micros};

/// The times of the entities so far, by service path and id.
#[derive(Default)]
pub(crate) struct Repeats(HashMap<(String, String), GivenTimes>);

/// The time that the last change with each own time got, in microseconds since 1970. A change without an own time counts as one with
/// the newest so far.
type GivenTimes = BTreeMap<i64, i64>;

impl Repeats {
    /// Gives a repeat of an entity a time after the earlier ones. `own` is the entity's own time of the change, in microseconds
    /// since 1970. The timestamp of the change can be another time, such as that of the notification.
    pub(crate) fn order(&mut self, change: &mut EntityChange, own: Option<i64>) {
        let Some(time) = change.timestamp.as_deref().and_then(micros_of_rfc3339) else { return };
        let given_times = self.0.entry((change.service_path.clone(), change.entity_id.clone())).or_default();
        let own = own.or_else(|| given_times.keys().next_back().copied()).unwrap_or(i64::MIN);
        let earlier = given_times.range(..=own).map(|(_, given)| *given).max();
        let given = earlier.map_or(time, |earlier| time.max(earlier.saturating_add(1)));
        if given > time {
            // The last moment of the calendar has no later one.
            let Some(later) = rfc3339_of_micros(given) else { return };
            change.timestamp = Some(later);
        }
        given_times.insert(own, given);
    }
}
