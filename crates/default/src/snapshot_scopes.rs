//! The scopes by which the entities of a snapshot are read.

use std::collections::BTreeSet;

use entity_stream_history::EntityState;
use entity_stream_protocol::{FilterScopes, Subscription};

/// The scopes of a snapshot, in the order in which they are read: ids, then types.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum SnapshotScopes {
    Every,
    Named { ids: BTreeSet<String>, types: BTreeSet<String> },
}

/// One scope of a snapshot.
pub(crate) enum SnapshotScope<'a> {
    Id(&'a str),
    Type(&'a str),
    Every,
}

impl SnapshotScopes {
    pub(crate) fn of<'a>(subscriptions: impl Iterator<Item = &'a Subscription>) -> Self {
        let (mut ids, mut types) = (BTreeSet::new(), BTreeSet::new());
        for subscription in subscriptions {
            match subscription.filter.scopes() {
                FilterScopes::Ids(wanted) => ids.extend(wanted.iter().map(|id| id.as_str().to_owned())),
                FilterScopes::Types(wanted) => types.extend(wanted.iter().map(|each| each.as_str().to_owned())),
                FilterScopes::Every => return Self::Every,
            }
        }
        Self::Named { ids, types }
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Every => 1,
            Self::Named { ids, types } => ids.len() + types.len(),
        }
    }

    pub(crate) fn get(&self, index: usize) -> Option<SnapshotScope<'_>> {
        match self {
            Self::Every => Some(SnapshotScope::Every),
            Self::Named { ids, types } => match index.checked_sub(ids.len()) {
                None => ids.iter().nth(index).map(|id| SnapshotScope::Id(id)),
                Some(index) => types.iter().nth(index).map(|each| SnapshotScope::Type(each)),
            },
        }
    }

    /// True if the scope is one of several types. An entity can have more than one of them, and others later.
    pub(crate) fn is_one_of_several_types(&self, index: usize) -> bool {
        matches!(self, Self::Named { ids, types } if types.len() > 1 && index >= ids.len())
    }

    /// The first scope that an entity belongs to.
    pub(crate) fn first_of(&self, state: &EntityState) -> Option<usize> {
        let Self::Named { ids, types } = self else { return Some(0) };
        let by_id = ids.iter().position(|id| *id == state.entity_id);
        let has = |wanted: &String| state.entity_types.iter().any(|each| each.as_str() == wanted);
        by_id.or_else(|| types.iter().position(has).map(|index| ids.len() + index))
    }
}
