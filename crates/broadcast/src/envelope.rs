use aws_lambda_events::eventbridge::EventBridgeEvent;
use entity_stream_protocol::{EntityChange, Event};
use serde_json::value::RawValue;

/// One event of an invocation.
pub(crate) enum Parsed<'a> {
    Event(Box<Event>),
    /// Repeating cannot help: it has to be put aside, with the reason.
    Poison {
        event: &'a str,
        reason: String,
    },
}

/// Reads an invocation's payload: one event, or an array of them. `detail` stays raw until its own parser reads it, so
/// that numbers keep their digits, and one bad detail does not take an array's other events with it.
pub(crate) fn parse(payload: &RawValue) -> Vec<Parsed<'_>> {
    let text = payload.get();
    if !text.starts_with('[') {
        return vec![parse_one(text)];
    }
    match serde_json::from_str::<Vec<&RawValue>>(text) {
        Ok(events) => events.into_iter().map(|event| parse_one(event.get())).collect(),
        Err(error) => vec![Parsed::Poison { event: text, reason: format!("not an array of events: {error}") }],
    }
}

fn parse_one(event: &str) -> Parsed<'_> {
    read(event).map_or_else(|reason| Parsed::Poison { event, reason }, |event| Parsed::Event(Box::new(event)))
}

fn read(event: &str) -> Result<Event, String> {
    let envelope: EventBridgeEvent<Box<RawValue>> =
        serde_json::from_str(event).map_err(|error| format!("not an EventBridge event: {error}"))?;
    let id = envelope.id.filter(|id| !id.is_empty()).ok_or("the event has no id")?;
    let time = envelope.time.ok_or("the event has no time")?;
    let change = EntityChange::parse(envelope.detail.get()).map_err(|error| error.to_string())?;
    Ok(Event::new(id, time.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true), change))
}
