use std::collections::BTreeSet;

use serde::{Serialize, Serializer};

use crate::since::Since;
use crate::subscription::Subscription;
use crate::subscription_name::SubscriptionName;
use crate::subscriptions::Subscriptions;

/// A `subscribe`: subscriptions, and what of the past and of the present a client wants of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscribe {
    /// The subscriptions. Each replaces the subscription of the same name as a whole.
    pub subscriptions: Subscriptions,
    /// The subscriptions that begin with a snapshot of the entities that match. A message with one is always answered.
    pub snapshots: BTreeSet<SubscriptionName>,
    /// The place from which the client wants the events that it missed. A message with it is always answered.
    pub since: Option<Since>,
}

impl Subscribe {
    fn object<'a>(&self, subscription: &'a Subscription) -> Object<'a> {
        Object { subscription, snapshot: self.snapshots.contains(&subscription.name) }
    }
}

impl From<Subscriptions> for Subscribe {
    /// These subscriptions, for the events that come from now on.
    fn from(subscriptions: Subscriptions) -> Self {
        Self { subscriptions, snapshots: BTreeSet::new(), since: None }
    }
}

#[derive(Serialize)]
struct SubscribeFields<'a> {
    #[serde(flatten)]
    objects: Objects<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<&'a Since>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Objects<'a> {
    Several { subscriptions: Vec<Object<'a>> },
    One(Object<'a>),
}

#[derive(Serialize)]
struct Object<'a> {
    #[serde(flatten)]
    subscription: &'a Subscription,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    snapshot: bool,
}

impl Serialize for Subscribe {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let objects = match &self.subscriptions {
            Subscriptions::One(one) => Objects::One(self.object(one)),
            Subscriptions::Several { subscriptions } => {
                Objects::Several { subscriptions: subscriptions.iter().map(|each| self.object(each)).collect() }
            }
        };
        SubscribeFields { objects, since: self.since.as_ref() }.serialize(serializer)
    }
}
