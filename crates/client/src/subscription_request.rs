use entity_stream_protocol::{Subscription, SubscriptionName};

/// A request of the program about the subscriptions of its stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SubscriptionRequest {
    /// Add these subscriptions. Each replaces the subscription of the same name.
    Subscribe(Vec<Subscription>),
    /// Remove the subscription of this name.
    Unsubscribe(SubscriptionName),
    /// Add a subscription and then remove another.
    Replace {
        /// The name of the subscription to remove.
        old: SubscriptionName,
        /// The subscription to add.
        new: Box<Subscription>,
    },
}

impl SubscriptionRequest {
    /// The subscriptions after this request.
    pub(crate) fn apply(&self, to: &mut Vec<Subscription>) {
        let added = match self {
            Self::Subscribe(added) => added.as_slice(),
            Self::Replace { new, .. } => std::slice::from_ref(&**new),
            Self::Unsubscribe(_) => &[],
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

    /// The name of the subscription that is not there after this request.
    pub(crate) fn removes(&self) -> Option<&SubscriptionName> {
        match self {
            Self::Unsubscribe(name) => Some(name),
            Self::Replace { old, new } => Some(old).filter(|old| **old != new.name),
            Self::Subscribe(_) => None,
        }
    }

    /// Returns whether this request adds a subscription of this name.
    pub(crate) fn adds(&self, name: &SubscriptionName) -> bool {
        match self {
            Self::Subscribe(added) => added.iter().any(|subscription| subscription.name == *name),
            Self::Replace { new, .. } => new.name == *name,
            Self::Unsubscribe(_) => false,
        }
    }
}
