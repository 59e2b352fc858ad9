//! The options of a command that describe the subscriptions of its connection.

mod options;
mod place;
mod written;

pub(crate) use options::{SubscriptionArgs, WantedSubscriptions};
