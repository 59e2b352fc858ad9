//! A connection's interest in a scope: the part of a subscription that an event needs, as text.
//!
//! Filters and views are stored as JSON, as they stand in messages. Whoever reads the table evaluates equal texts once, and so
//! reads no text twice.

use aws_sdk_dynamodb::types::AttributeValue;
use entity_stream_protocol::{Filter, Subscription, SubscriptionName, View};

use crate::attributes::{Item, string};

/// A subscription in an interest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Want {
    /// The name of the subscription.
    pub subscription: SubscriptionName,
    /// The JSON of the [`Filter`] that a change of the interest's scope still has to pass; empty if each passes.
    pub filter: String,
    /// The JSON of the [`View`]; empty if it is the default view.
    pub view: String,
}

const NAME: &str = "n";
const FILTER: &str = "f";
const VIEW: &str = "v";

impl Want {
    pub(crate) fn new(subscription: &Subscription, filter: &Filter) -> Self {
        let json = |text: String| if text == "{}" { String::new() } else { text };
        Self {
            subscription: subscription.name.clone(),
            filter: json(filter.to_json()),
            view: json(subscription.view.to_json()),
        }
    }

    /// True for the default subscription without a filter and with the default view.
    pub(crate) fn is_plain(&self) -> bool {
        *self == Self::default()
    }

    pub(crate) fn to_attribute(&self) -> AttributeValue {
        let fields = [(NAME, self.subscription.as_str()), (FILTER, &self.filter), (VIEW, &self.view)];
        let fields = fields.into_iter().filter(|(_, text)| !text.is_empty());
        AttributeValue::M(fields.map(|(name, text)| (name.to_owned(), string(text))).collect())
    }

    pub(crate) fn from_attribute(value: &AttributeValue) -> Option<Self> {
        let fields = value.as_m().ok()?;
        Some(Self {
            subscription: SubscriptionName::try_from(text(fields, NAME)?.to_owned()).ok()?,
            filter: text(fields, FILTER)?.to_owned(),
            view: text(fields, VIEW)?.to_owned(),
        })
    }

    /// The subscription, if this holds its whole filter; `None` if it cannot be read.
    pub(crate) fn to_subscription(&self) -> Option<Subscription> {
        Some(Subscription {
            name: self.subscription.clone(),
            filter: if self.filter.is_empty() { Filter::default() } else { serde_json::from_str(&self.filter).ok()? },
            view: if self.view.is_empty() { View::default() } else { serde_json::from_str(&self.view).ok()? },
        })
    }
}

/// A list of these wants.
pub(crate) fn to_list(wants: &[Want]) -> AttributeValue {
    AttributeValue::L(wants.iter().map(Want::to_attribute).collect())
}

/// The wants in a list; `None` for any other value.
pub(crate) fn from_list(value: &AttributeValue) -> Option<Vec<Want>> {
    value.as_l().ok()?.iter().map(Want::from_attribute).collect()
}

fn text<'a>(fields: &'a Item, name: &str) -> Option<&'a str> {
    fields.get(name).map_or(Some(""), |value| value.as_s().ok().map(String::as_str))
}
