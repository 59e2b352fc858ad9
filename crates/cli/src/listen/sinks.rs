use std::borrow::Cow;

use entity_stream_client::{Bookmark, EntityStream, ReceivedEvent};

use crate::forwarding::Forwarding;
use crate::listen::pretty::pretty;
use crate::recording::Recorder;
use crate::terminal;

/// The form in which events are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum EventOutput {
    /// One readable line for each event
    Pretty,
    /// The event as received, one JSON object per line
    Json,
    /// A CloudEvents 1.0 envelope with the event, one JSON object per line
    Cloudevents,
    /// No events, only the summary at the end
    None,
}

/// The places to which each event goes.
pub(super) struct EventSinks {
    /// The form on standard output.
    pub(super) output: EventOutput,
    pub(super) forwarding: Option<Forwarding>,
    pub(super) recorder: Option<Recorder>,
}

impl EventSinks {
    /// Prints an event, records it, and gives it to the receiver.
    pub(super) fn take(&mut self, event: ReceivedEvent, stream: &EntityStream) -> anyhow::Result<()> {
        match self.output {
            EventOutput::Pretty => terminal::line(pretty(event.message()))?,
            EventOutput::Json | EventOutput::Cloudevents => terminal::raw_line(&on_one_line(event.frame()))?,
            EventOutput::None => {}
        }
        if let Some(recorder) = &mut self.recorder {
            recorder.write(&event)?;
        }
        if let Some(forwarding) = &mut self.forwarding {
            forwarding.push(event, stream.bookmark().cloned());
        }
        Ok(())
    }

    /// The place after the next event that the receiver has. It is cancel safe.
    pub(super) async fn settled(&mut self) -> Option<Bookmark> {
        match &mut self.forwarding {
            Some(forwarding) => forwarding.settled().await,
            None => std::future::pending().await,
        }
    }

    /// Writes the buffer.
    pub(super) fn flush(&mut self) -> anyhow::Result<()> {
        self.recorder.as_mut().map_or(Ok(()), Recorder::flush)
    }
}

/// A JSON text as one line. The server passes `data` on as published, line breaks included. JSON allows line breaks only
/// between tokens, so that only white space changes.
fn on_one_line(json: &str) -> Cow<'_, str> {
    if json.contains(['\n', '\r']) { json.replace(['\n', '\r'], " ").into() } else { json.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_line() {
        let json = "{\"a\":\n  1.0,\r\n\"b\":\"\\n\"}";
        assert_eq!(on_one_line(json), r#"{"a":   1.0,  "b":"\n"}"#);
        assert!(matches!(on_one_line("{}"), Cow::Borrowed(_)));
    }
}
