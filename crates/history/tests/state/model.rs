//! The rules of the contract for one entity, written anew: the model keeps each change that counted and derives nothing from what
//! it has written before but times.

use std::collections::BTreeMap;

use crate::changes::{Kind, RandomChange};

/// An entity of the model.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ModelEntity {
    pub(crate) is_known: bool,
    pub(crate) is_deleted: bool,
    /// The time of an unknown change; `i64::MIN` for an unseen creation.
    pub(crate) unknown: Option<i64>,
    /// How many changes counted.
    pub(crate) counted: u64,
    /// The value of each attribute, its time, and that of its change; `None` if it was removed then.
    values: BTreeMap<String, (Option<String>, i64, i64)>,
    newest: Option<i64>,
    /// When everything was replaced last.
    replaced: Option<i64>,
}

impl ModelEntity {
    /// The attributes, as the text of an object. `None` if there is no entity.
    pub(crate) fn data(&self) -> Option<String> {
        if self.is_deleted || !self.is_known {
            return None;
        }
        let present =
            self.values.iter().filter_map(|(name, (value, ..))| Some(format!("{name:?}:{}", value.as_ref()?)));
        Some(format!("{{{}}}", present.collect::<Vec<_>>().join(",")))
    }

    /// Applies a change. Returns whether it was late.
    pub(crate) fn apply(&mut self, change: &RandomChange) -> bool {
        let at = change.at;
        let is_late = self.newest.is_some_and(|newest| at < newest);
        let before = self.clone();
        if !self.is_known {
            (self.is_known, self.unknown) = (true, Some(i64::MIN));
        }
        match (change.kind, is_late) {
            (Kind::Deleted, false) => {
                self.clear(at);
                (self.is_deleted, self.unknown, self.replaced) = (true, None, Some(at));
            }
            (Kind::Deleted, true) => {
                if !self.is_deleted && self.is_after_replacement(at) {
                    for known in
                        self.values.values_mut().filter(|(value, _, changed)| value.is_some() && *changed <= at)
                    {
                        *known = (None, at, at);
                    }
                    (self.replaced, self.unknown) = (Some(at), self.unknown.max(Some(at)));
                }
            }
            (Kind::Created, false) => {
                self.clear(at);
                (self.is_deleted, self.replaced) = (false, Some(at));
                self.merge(change);
                self.unknown = change.data.is_empty().then_some(at);
            }
            (Kind::Updated, _) | (Kind::Created, true) => {
                if self.is_deleted && !is_late {
                    (self.is_deleted, self.unknown) = (false, self.replaced);
                }
                if !self.is_deleted {
                    self.merge(change);
                    let is_after_replacement = self.is_after_replacement(at);
                    if change.is_truncated() {
                        if is_after_replacement {
                            self.unknown = self.unknown.max(Some(at));
                        }
                    } else if change.kind == Kind::Created
                        && is_after_replacement
                        && self.unknown.is_some_and(|unknown| at >= unknown)
                    {
                        (self.unknown, self.replaced) = (None, Some(at));
                    }
                }
            }
        }
        if !is_late {
            self.newest = Some(at);
        }
        if !is_late || *self != before {
            self.counted += 1;
        }
        is_late
    }

    /// Removes everything at this time.
    fn clear(&mut self, at: i64) {
        self.values.retain(|_, (value, ..)| value.is_some());
        self.values.values_mut().for_each(|known| *known = (None, at, at));
    }

    /// Nothing that is older than the last creation or deletion comes back.
    fn is_after_replacement(&self, at: i64) -> bool {
        self.replaced.is_none_or(|replaced| at >= replaced)
    }

    fn merge(&mut self, change: &RandomChange) {
        let sets = change.data.iter().map(|(name, (value, own))| (name, Some(value.clone()), *own));
        let removes = change.removed().map(|name| (name, None, None));
        let all: Vec<_> = sets.chain(removes).collect();
        let is_late = self.newest.is_some_and(|newest| change.at < newest);
        for (name, value, own) in all {
            let (at, changed) = (own.unwrap_or(change.at), change.at);
            let is_newer = match self.values.get(name) {
                _ if !self.is_after_replacement(changed) => false,
                Some((known, time, last)) if is_late && *known == value && *time == at && *last >= changed => false,
                Some((Some(_), _, known)) if value.is_none() => changed >= *known,
                Some((Some(_), time, known)) => (at, changed) >= (*time, *known),
                Some((None, removed, _)) => changed >= *removed,
                None => true,
            };
            if is_newer {
                self.values.insert(name.clone(), (value, at, changed));
            }
        }
    }
}
