use crate::format::Format;
use crate::subscription_name::SubscriptionName;
use crate::view::View;

/// The form of an event for a connection. Connections with the same form receive the same message.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct MessageForm {
    /// The format of the frame.
    pub format: Format,
    /// The part of the entity that the message shows.
    pub view: View,
    /// The names of the subscriptions that the event matches, in their order. Empty if the connection has only the default
    /// subscription: the message then has no list of names.
    pub subscriptions: Vec<SubscriptionName>,
    /// The entity left the subscriptions. The message has no data, whatever the view.
    pub has_left: bool,
}

impl From<Format> for MessageForm {
    /// The form for a connection that has only the default subscription, with the default view.
    fn from(format: Format) -> Self {
        Self { format, ..Self::default() }
    }
}
