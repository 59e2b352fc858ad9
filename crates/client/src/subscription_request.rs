use std::collections::BTreeSet;

use entity_stream_protocol::{Subscription, SubscriptionName};

use crate::past_events::PastEvents;

/// A request of the program about the subscriptions of its stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SubscriptionRequest {
    /// Add these subscriptions. Each replaces the subscription of the same name.
    Subscribe(Vec<Subscription>),
    /// The same, and begin each of them with a snapshot of the entities that match.
    SubscribeWithSnapshot(Vec<Subscription>),
    /// Add these subscriptions, and begin them with the past events that match.
    SubscribeSince {
        /// The subscriptions.
        added: Vec<Subscription>,
        /// The past events.
        past: PastEvents,
        /// True to begin each of them with a snapshot too.
        has_snapshot: bool,
    },
    /// Remove the subscription of this name.
    Unsubscribe(SubscriptionName),
    /// Add a subscription and then remove another.
    Replace {
        /// The name of the subscription to remove.
        old: SubscriptionName,
        /// The subscription to add.
        new: Box<Subscription>,
        /// True to begin the new subscription with a snapshot of the entities that match.
        has_snapshot: bool,
    },
}

impl SubscriptionRequest {
    /// The subscriptions after this request.
    pub(crate) fn apply(&self, to: &mut Vec<Subscription>) {
        let added = match self {
            Self::Replace { new, .. } => std::slice::from_ref(&**new),
            other => other.added(),
        };
        for subscription in added {
            match to.iter_mut().find(|other| other.name == subscription.name) {
                Some(same) => *same = subscription.clone(),
                None => to.push(subscription.clone()),
            }
        }
        if let Some(name) = self.removes() {
            to.retain(|subscription| subscription.name != *name);
        }
    }

    /// The subscriptions that begin with a snapshot, after this request.
    pub(crate) fn apply_to_snapshots(&self, to: &mut BTreeSet<SubscriptionName>) {
        match self {
            Self::SubscribeWithSnapshot(_) | Self::SubscribeSince { has_snapshot: true, .. } => {
                to.extend(self.begins_with_snapshot());
            }
            Self::Subscribe(added) | Self::SubscribeSince { added, .. } => {
                to.retain(|name| !added.iter().any(|subscription| subscription.name == *name));
            }
            Self::Unsubscribe(old) => to.retain(|name| name != old),
            Self::Replace { old, new, .. } => {
                to.retain(|name| name != old && *name != new.name);
                to.extend(self.begins_with_snapshot());
            }
        }
    }

    /// The subscriptions that this request begins with a snapshot.
    pub(crate) fn begins_with_snapshot(&self) -> BTreeSet<SubscriptionName> {
        match self {
            Self::SubscribeWithSnapshot(added) | Self::SubscribeSince { added, has_snapshot: true, .. } => {
                added.iter().map(|subscription| subscription.name.clone()).collect()
            }
            Self::Replace { new, has_snapshot: true, .. } => BTreeSet::from([new.name.clone()]),
            Self::Subscribe(_) | Self::SubscribeSince { .. } | Self::Unsubscribe(_) | Self::Replace { .. } => {
                BTreeSet::new()
            }
        }
    }

    /// The name of the subscription that is not there after this request.
    pub(crate) fn removes(&self) -> Option<&SubscriptionName> {
        match self {
            Self::Unsubscribe(name) => Some(name),
            Self::Replace { old, new, .. } => Some(old).filter(|old| **old != new.name),
            Self::Subscribe(_) | Self::SubscribeWithSnapshot(_) | Self::SubscribeSince { .. } => None,
        }
    }

    /// Returns whether this request adds a subscription of this name.
    pub(crate) fn adds(&self, name: &SubscriptionName) -> bool {
        match self {
            Self::Replace { new, .. } => new.name == *name,
            other => other.added().iter().any(|subscription| subscription.name == *name),
        }
    }

    /// The subscriptions that this request adds. One that takes the place of another is not among them.
    pub(crate) fn added(&self) -> &[Subscription] {
        match self {
            Self::Subscribe(added) | Self::SubscribeWithSnapshot(added) | Self::SubscribeSince { added, .. } => added,
            Self::Replace { .. } | Self::Unsubscribe(_) => &[],
        }
    }

    /// The past events that this request asks for.
    pub(crate) fn past(&self) -> Option<&PastEvents> {
        match self {
            Self::SubscribeSince { past, .. } => Some(past),
            _ => None,
        }
    }
}
