use std::borrow::Cow;

use aws_lambda_events::eventbridge::EventBridgeEvent;
use entity_stream_connections::HashRange;
use entity_stream_protocol::limits::EVENT_ID_BYTES;
use entity_stream_protocol::{EntityChange, EpochMillis, Event};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::continuation::{self, Continuation};

/// One event of an invocation.
pub(crate) enum Parsed<'a> {
    Event(Box<Received<'a>>),
    /// Repeating cannot help: it has to be put aside, with the reason.
    Poison {
        event: &'a str,
        reason: String,
    },
}

/// An event, and which part of its audience this invocation is to serve.
pub(crate) struct Received<'a> {
    pub(crate) event: Event,
    /// What the function was invoked with.
    pub(crate) invoked_with: &'a str,
    /// The event as EventBridge delivered it first.
    pub(crate) published: Cow<'a, str>,
    pub(crate) published_at: EpochMillis,
    /// The hashes of the connections to serve.
    pub(crate) ranges: Vec<HashRange>,
    /// How often it has been handed on.
    pub(crate) depth: u32,
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

fn read(text: &str) -> Result<Received<'_>, String> {
    let envelope = read_envelope(text)?;
    if !continuation::is_continuation(&envelope) {
        return received(&envelope, text, Cow::Borrowed(text));
    }
    let Continuation::<Box<RawValue>> { event, ranges, depth, .. } = serde_json::from_str(envelope.detail.get())
        .map_err(|error| format!("not a continuation of an event: {error}"))?;
    if ranges.is_empty() {
        return Err("not a continuation of an event: there are no ranges".to_owned());
    }
    let published = read_envelope(event.get())?;
    Ok(Received { ranges, depth, ..received(&published, text, Cow::Owned(event.get().to_owned()))? })
}

/// The event's id and its tenant for the log, as far as they can be read and may be as long as they are.
pub(crate) fn names(event: &str) -> (Option<String>, Option<String>) {
    #[derive(Default, Deserialize)]
    struct Named<'a> {
        #[serde(borrow, default)]
        id: Option<&'a RawValue>,
        #[serde(borrow, default)]
        detail: Option<&'a RawValue>,
    }
    #[derive(Default, Deserialize)]
    struct Detail<'a> {
        #[serde(borrow, default)]
        tenant: Option<&'a RawValue>,
    }
    let text = |value: Option<&RawValue>| {
        let text: Option<String> = value.and_then(|value| serde_json::from_str(value.get()).ok());
        text.filter(|text| text.len() <= EVENT_ID_BYTES)
    };
    let named: Named<'_> = serde_json::from_str(event).unwrap_or_default();
    let detail: Option<Detail<'_>> = named.detail.and_then(|detail| serde_json::from_str(detail.get()).ok());
    (text(named.id), text(detail.and_then(|detail| detail.tenant)))
}

fn read_envelope(event: &str) -> Result<EventBridgeEvent<Box<RawValue>>, String> {
    serde_json::from_str(event).map_err(|error| format!("not an EventBridge event: {error}"))
}

fn received<'a>(
    envelope: &EventBridgeEvent<Box<RawValue>>,
    invoked_with: &'a str,
    published: Cow<'a, str>,
) -> Result<Received<'a>, String> {
    let id = envelope.id.as_deref().filter(|id| !id.is_empty()).ok_or("the event has no id")?;
    if id.len() > EVENT_ID_BYTES {
        return Err(format!("the event's id has more than {EVENT_ID_BYTES} bytes"));
    }
    let time = envelope.time.ok_or("the event has no time")?;
    let change = EntityChange::parse(envelope.detail.get()).map_err(|error| error.to_string())?;
    Ok(Received {
        event: Event::new(id, time.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true), change),
        invoked_with,
        published,
        published_at: EpochMillis::new(time.timestamp_millis()),
        ranges: vec![HashRange::ALL],
        depth: 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_that_can_reach_nobody_is_named_as_far_as_it_can_be_read() {
        let named = |id: &str, tenant: &str| (Some(id.to_owned()), Some(tenant.to_owned()));
        assert_eq!(names(r#"{"id":"e-1","detail":{"tenant":"demo","type":7}}"#), named("e-1", "demo"));
        assert_eq!(names(r#"{"id":"e-1","detail":"text"}"#), (Some("e-1".to_owned()), None));
        assert_eq!(names(r#"{"id":7,"detail":{"tenant":null}}"#), (None, None));
        assert_eq!(names("[1"), (None, None));
        assert_eq!(names(&format!(r#"{{"id":"{}"}}"#, "x".repeat(1000))), (None, None));
    }
}
