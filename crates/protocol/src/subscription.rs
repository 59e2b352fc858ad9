use serde::{Deserialize, Serialize};

use crate::filter::{Filter, InvalidFilter};
use crate::limits::FILTER_TEXT_BYTES;
use crate::subscription_name::SubscriptionName;
use crate::view::View;

/// A subscription of a connection: the changes that it selects, and the parts that it shows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscription {
    /// The name; the default subscription has none.
    #[serde(rename = "subscription", default, skip_serializing_if = "SubscriptionName::is_default")]
    pub name: SubscriptionName,
    /// The changes that it selects.
    #[serde(flatten)]
    pub filter: Filter,
    /// The parts of them that it shows.
    #[serde(flatten)]
    pub view: View,
}

impl Subscription {
    /// A subscription with this name, filter and view.
    ///
    /// # Errors
    /// [`InvalidFilter::TooMuchText`] if filter and view have more than 1,024 bytes together, without the filter's ids.
    pub fn new(name: SubscriptionName, filter: Filter, view: View) -> Result<Self, InvalidFilter> {
        let text = filter.text_bytes() + view.attributes().map(str::len).sum::<usize>();
        if text > FILTER_TEXT_BYTES { Err(InvalidFilter::TooMuchText) } else { Ok(Self { name, filter, view }) }
    }
}

impl From<Filter> for Subscription {
    /// The default subscription with this filter, which shows events as they were published.
    fn from(filter: Filter) -> Self {
        Self { name: SubscriptionName::DEFAULT, filter, view: View::default() }
    }
}
