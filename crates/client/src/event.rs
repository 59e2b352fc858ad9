use entity_stream_protocol::{EventMessage, SubscriptionName};

/// The subscriptions of an event that names none: the connection has only the default subscription.
static ONLY_DEFAULT: [SubscriptionName; 1] = [SubscriptionName::DEFAULT];

/// An event that the client received.
#[derive(Clone, Debug)]
pub struct ReceivedEvent {
    frame: String,
    message: EventMessage<'static>,
}

impl ReceivedEvent {
    pub(crate) fn new(frame: String, message: EventMessage<'static>) -> Self {
        Self { frame, message }
    }

    /// The event. In a stream of CloudEvents it is the `data` of the envelope.
    pub fn message(&self) -> &EventMessage<'static> {
        &self.message
    }

    /// The names of the subscriptions that the event matches in this view; the default subscription is an empty name.
    pub fn subscriptions(&self) -> &[SubscriptionName] {
        names(&self.message)
    }

    /// The frame as the server sent it: a JSON object, in the stream's format. It can contain line breaks.
    pub fn frame(&self) -> &str {
        &self.frame
    }
}

/// The names of the subscriptions that an event matches.
pub(crate) fn names<'a>(message: &'a EventMessage<'_>) -> &'a [SubscriptionName] {
    message.subscriptions.as_deref().unwrap_or(&ONLY_DEFAULT)
}
