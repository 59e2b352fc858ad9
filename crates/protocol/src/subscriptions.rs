use serde::{Deserialize, Serialize};

use crate::filter::Filter;
use crate::subscription::Subscription;

/// The subscriptions of one `subscribe` or of its answer: one, whose fields stand in the message itself, or a list of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, from = "SubscriptionsFields")]
pub enum Subscriptions {
    /// A list. The names differ.
    Several {
        /// The subscriptions.
        subscriptions: Vec<Subscription>,
    },
    /// One.
    One(Box<Subscription>),
}

/// A list that cannot be read is an error, and not one subscription without a filter.
#[derive(Deserialize)]
struct SubscriptionsFields {
    subscriptions: Option<Vec<Subscription>>,
    #[serde(flatten)]
    one: Subscription,
}

impl From<SubscriptionsFields> for Subscriptions {
    fn from(fields: SubscriptionsFields) -> Self {
        match fields.subscriptions {
            Some(subscriptions) => Self::Several { subscriptions },
            None => Self::One(Box::new(fields.one)),
        }
    }
}

impl Subscriptions {
    /// The subscriptions.
    pub fn as_slice(&self) -> &[Subscription] {
        match self {
            Self::Several { subscriptions } => subscriptions,
            Self::One(one) => std::slice::from_ref(&**one),
        }
    }
}

impl From<Subscription> for Subscriptions {
    fn from(one: Subscription) -> Self {
        Self::One(Box::new(one))
    }
}

impl From<Filter> for Subscriptions {
    /// The default subscription with this filter.
    fn from(filter: Filter) -> Self {
        Self::One(Box::new(filter.into()))
    }
}
