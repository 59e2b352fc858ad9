//! Random changes of one entity.

use std::collections::{BTreeMap, BTreeSet};

use entity_stream_protocol::Event;
use fastrand::Rng;

use crate::support::{raw, stamp};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Created,
    Updated,
    Deleted,
}

/// A change, as the model sees it.
#[derive(Clone, Debug)]
pub(crate) struct RandomChange {
    pub(crate) id: String,
    pub(crate) kind: Kind,
    /// The time of the change, in milliseconds after the start.
    pub(crate) at: i64,
    /// The JSON of each attribute, and its own time, if it has one.
    pub(crate) data: BTreeMap<String, (String, Option<i64>)>,
    pub(crate) changed: Option<BTreeSet<String>>,
}

/// Values whose bytes must stay.
const VALUES: [&str; 7] = ["1.0", "12345678901234567890123", "1E5", "\"\\u00e9\"", "[1,  2]", "null", "{\"value\":-0}"];
const NAMES: [&str; 5] = ["a", "b", "c", "location", "d#"];

impl RandomChange {
    /// A change at about this time: some are late, some as old as others.
    pub(crate) fn new(rng: &mut Rng, number: usize, now: i64) -> Self {
        let kind =
            [Kind::Created, Kind::Updated, Kind::Updated, Kind::Updated, Kind::Updated, Kind::Deleted][rng.usize(0..6)];
        let at = if rng.u8(0..4) == 0 { now - rng.i64(0..60) * 10 } else { now };
        let mut data = BTreeMap::new();
        for _ in 0..rng.usize(0..4) {
            let name = NAMES[rng.usize(0..NAMES.len())].to_owned();
            let own = (rng.u8(0..5) == 0).then(|| at - rng.i64(0..30) * 10);
            let value = VALUES[rng.usize(0..VALUES.len())];
            let json = match own {
                Some(own) => format!(r#"{{"value":{value},"observedAt":"{}"}}"#, stamp(own.unsigned_abs())),
                None => value.to_owned(),
            };
            data.insert(name, (json, own));
        }
        let changed = (kind == Kind::Updated && rng.bool()).then(|| {
            let others = NAMES.iter().filter(|_| rng.u8(0..6) == 0).map(|name| (*name).to_owned());
            data.keys().cloned().chain(others).collect()
        });
        Self { id: format!("e{number}"), kind, at, data, changed }
    }

    /// The names that it removes.
    pub(crate) fn removed(&self) -> impl Iterator<Item = &String> {
        let is_removal = self.kind == Kind::Updated && !self.data.is_empty();
        let named = self.changed.iter().flatten().filter(move |_| is_removal);
        named.filter(|name| !self.data.contains_key(*name))
    }

    /// True if it does not carry the changes.
    pub(crate) fn is_truncated(&self) -> bool {
        let names = self.changed.as_ref().is_some_and(|names| !names.is_empty());
        self.data.is_empty() && (self.kind == Kind::Created || (self.kind == Kind::Updated && names))
    }

    pub(crate) fn event(&self) -> Event {
        let members: Vec<_> = self.data.iter().map(|(name, (json, _))| format!("{name:?}:{json}")).collect();
        let kind = match self.kind {
            Kind::Created => "entityCreated",
            Kind::Updated => "entityUpdated",
            Kind::Deleted => "entityDeleted",
        };
        let event = raw(&self.id, kind, &format!("{{{}}}", members.join(",")), self.at.unsigned_abs());
        let mut change = event.change().clone();
        change.changed_attributes = self.changed.as_ref().map(|names| names.iter().cloned().collect());
        Event::new(self.id.clone(), event.time(), change)
    }
}
