use entity_stream_protocol::EventMessage;

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

    /// The frame as the server sent it: a JSON object, in the stream's format. It can contain line breaks.
    pub fn frame(&self) -> &str {
        &self.frame
    }
}
