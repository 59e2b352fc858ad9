use std::sync::OnceLock;

use bytes::Bytes;
use entity_stream_protocol::{Event, Format};

/// An event's messages, each written once, when the first connection needs it, and shared by all deliveries.
pub(crate) struct Messages<'a> {
    event: &'a Event,
    whole: [OnceLock<Bytes>; 2],
    truncated: [OnceLock<Bytes>; 2],
}

impl<'a> Messages<'a> {
    pub(crate) fn of(event: &'a Event) -> Self {
        Self { event, whole: Default::default(), truncated: Default::default() }
    }

    pub(crate) fn message(&self, format: Format) -> Bytes {
        self.whole[index(format)].get_or_init(|| self.event.message(format).into()).clone()
    }

    pub(crate) fn truncated(&self, format: Format) -> Bytes {
        self.truncated[index(format)].get_or_init(|| self.event.truncated_message(format).into()).clone()
    }
}

fn index(format: Format) -> usize {
    match format {
        Format::Json => 0,
        Format::CloudEvents => 1,
    }
}
