//! Orders the changes of one entity in a notification.
//!
//! A notification can have an entity several times, in the order of its changes. The bus keeps no order, so their times have to
//! tell it.

use std::collections::HashMap;

use entity_stream_protocol::{EntityChange, micros_of_rfc3339, rfc3339_of_micros};

/// The times of the entities so far, in microseconds since 1970.
#[derive(Default)]
pub(crate) struct Repeats(HashMap<(String, String), LastTimes>);

/// The times of the last change of an entity.
#[derive(Clone, Copy)]
struct LastTimes {
    /// The time in the notification.
    told: i64,
    /// The time of the event.
    given: i64,
}

impl Repeats {
    /// Gives a repeat of an entity a time after the earlier one. `tells_time` says that the entity itself tells its time: one that
    /// is older than the earlier one's stays, because the broker knows the order of its changes.
    pub(crate) fn order(&mut self, change: &mut EntityChange, tells_time: bool) {
        let Some(told) = change.timestamp.as_deref().and_then(micros_of_rfc3339) else { return };
        let key = (change.service_path.clone(), change.entity_id.clone());
        let first = LastTimes { told, given: told };
        let Some(last) = self.0.get_mut(&key) else {
            self.0.insert(key, first);
            return;
        };
        if told > last.given {
            *last = first;
        } else if told >= last.told || !tells_time {
            let given = last.given.saturating_add(1);
            // The last moment of the calendar has no later one.
            if let Some(time) = rfc3339_of_micros(given) {
                *last = LastTimes { told: told.max(last.told), given };
                change.timestamp = Some(time);
            }
        }
    }
}
