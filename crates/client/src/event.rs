use entity_stream_protocol::{EventMessage, SubscriptionName};
use serde::Deserialize;
use serde_json::value::RawValue;

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

    /// The event as the server sent it, byte for byte: a JSON object in the stream's format, which can contain line
    /// breaks. The object is a frame of its own, or an entry of an `events` frame.
    pub fn frame(&self) -> &str {
        &self.frame
    }
}

#[derive(Deserialize)]
struct FrameEntries<'a> {
    #[serde(borrow)]
    events: Vec<&'a RawValue>,
}

/// The texts of the entries of an `events` frame.
pub(crate) fn entries(frame: &str) -> Vec<&str> {
    let frame: Option<FrameEntries<'_>> = serde_json::from_str(frame).ok();
    frame.into_iter().flat_map(|frame| frame.events).map(RawValue::get).collect()
}

/// The names of the subscriptions that an event matches.
pub(crate) fn names<'a>(message: &'a EventMessage<'_>) -> &'a [SubscriptionName] {
    message.subscriptions.as_deref().unwrap_or(&ONLY_DEFAULT)
}
