use std::sync::OnceLock;

use entity_stream_delivery::Message;
use entity_stream_protocol::{Event, Format};

/// The messages of an event. Each is serialised when the first connection needs it, and all deliveries share it.
#[derive(Debug)]
pub(crate) struct Messages<'a> {
    event: &'a Event,
    whole: [OnceLock<Message>; 2],
    truncated: [OnceLock<Message>; 2],
}

impl<'a> Messages<'a> {
    pub(crate) fn of(event: &'a Event) -> Self {
        Self { event, whole: Default::default(), truncated: Default::default() }
    }

    pub(crate) fn message(&self, format: Format) -> &Message {
        self.whole[index(format)].get_or_init(|| Message::new(self.event.message(format)))
    }

    /// The message without the data of the entity, for an event that is larger than API Gateway accepts.
    pub(crate) fn truncated(&self, format: Format) -> &Message {
        self.truncated[index(format)].get_or_init(|| Message::new(self.event.truncated_message(format)))
    }
}

fn index(format: Format) -> usize {
    match format {
        Format::Json => 0,
        Format::CloudEvents => 1,
    }
}
