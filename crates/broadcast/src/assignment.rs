use std::borrow::Cow;

use aws_lambda_events::eventbridge::EventBridgeEvent;
use entity_stream_connections::HashRange;
use entity_stream_protocol::limits::EVENT_ID_BYTES;
use entity_stream_protocol::{EntityChange, EpochMillis, Event, InvalidJson, Tenant};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::bus_event::BusEvent;
use crate::continuation::{self, Continuation, RANGES};

/// One event of an invocation's payload.
pub(crate) enum Parsed<'a> {
    Assigned(Box<Assignment<'a>>),
    /// A replay of the bus: its clients received the event long ago, and a new one that they have not seen would be out of order. The
    /// state of the entity may lack it. `None`: the event cannot be read.
    Replay(Option<Box<Assignment<'a>>>),
    /// The event is malformed, so a retry cannot help.
    Undeliverable {
        event: &'a str,
        reason: String,
    },
}

/// An event, and the part of its audience that this invocation has to serve.
#[derive(Clone, Debug)]
pub(crate) struct Assignment<'a> {
    pub(crate) event: Event,
    /// The event in the payload: the published event, or a continuation.
    pub(crate) invoked_with: &'a str,
    /// The event as EventBridge delivered it first.
    pub(crate) published: Cow<'a, str>,
    pub(crate) published_at: EpochMillis,
    /// The hashes of the connections to serve, as ascending ranges that do not overlap; never empty.
    pub(crate) ranges: Vec<HashRange>,
    /// The number of times that the event has been handed on.
    pub(crate) depth: u32,
    /// False if the state of its entity should have the change and could not be written.
    pub(crate) is_stored: bool,
}

/// Parses the payload of an invocation: one event, or an array of events.
///
/// `detail` stays raw text until its own parser reads it. Numbers keep their digits, and one malformed detail does not
/// affect the other events of an array.
pub(crate) fn parse(payload: &RawValue) -> Vec<Parsed<'_>> {
    let text = payload.get();
    if !text.starts_with('[') {
        return vec![parse_one(text)];
    }
    match serde_json::from_str::<Vec<&RawValue>>(text) {
        Ok(events) => events.into_iter().map(|event| parse_one(event.get())).collect(),
        Err(error) => {
            vec![Parsed::Undeliverable {
                event: text,
                reason: format!("not an array of events: {}", InvalidJson::new(&error)),
            }]
        }
    }
}

fn parse_one(event: &str) -> Parsed<'_> {
    let BusEvent { envelope, is_replay } = BusEvent::read(event);
    if is_replay {
        return Parsed::Replay(read(event, envelope).ok().map(Box::new));
    }
    match read(event, envelope) {
        Ok(assignment) => Parsed::Assigned(Box::new(assignment)),
        Err(reason) => Parsed::Undeliverable { event, reason },
    }
}

fn read<'a>(invoked_with: &'a str, text: Cow<'a, str>) -> Result<Assignment<'a>, String> {
    let envelope = read_envelope(&text)?;
    if !continuation::is_continuation(&envelope) {
        return assign(&envelope, invoked_with, text);
    }
    let Continuation::<Box<RawValue>> { event, ranges, depth, .. } = serde_json::from_str(envelope.detail.get())
        .map_err(|error| format!("not a continuation: {}", InvalidJson::new(&error)))?;
    // A publisher can forge a continuation. Each hash counts once, and the number of reads is bounded.
    let ranges = HashRange::merge(ranges);
    if !(1..=RANGES).contains(&ranges.len()) {
        return Err(format!("not a continuation: it has 1 to {RANGES} ranges"));
    }
    let published = read_envelope(event.get())?;
    let assignment = assign(&published, invoked_with, Cow::Owned(event.get().to_owned()))?;
    Ok(Assignment { ranges, depth, ..assignment })
}

fn read_envelope(event: &str) -> Result<EventBridgeEvent<Box<RawValue>>, String> {
    serde_json::from_str(event).map_err(|error| format!("not an EventBridge event: {}", InvalidJson::new(&error)))
}

fn assign<'a>(
    envelope: &EventBridgeEvent<Box<RawValue>>,
    invoked_with: &'a str,
    published: Cow<'a, str>,
) -> Result<Assignment<'a>, String> {
    let id = envelope.id.as_deref().filter(|id| !id.is_empty()).ok_or("the event has no id")?;
    if id.len() > EVENT_ID_BYTES {
        return Err(format!("the id of the event has more than {EVENT_ID_BYTES} bytes"));
    }
    let time = envelope.time.ok_or("the event has no time")?;
    let change = EntityChange::parse(envelope.detail.get()).map_err(|error| error.to_string())?;
    Ok(Assignment {
        event: Event::new(id, time.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true), change),
        invoked_with,
        published,
        published_at: EpochMillis::new(time.timestamp_millis()),
        ranges: vec![HashRange::ALL],
        depth: 0,
        is_stored: true,
    })
}

/// Returns the event id and the tenant of a malformed event for the log, if they are readable, and the id is not too long. A
/// text that is no tenant's name can be any value.
pub(crate) fn readable_names(event: &str) -> (Option<String>, Option<String>) {
    #[derive(Default, Deserialize)]
    struct ReadableEvent<'a> {
        #[serde(borrow, default)]
        id: Option<&'a RawValue>,
        #[serde(borrow, default)]
        detail: Option<&'a RawValue>,
    }
    #[derive(Default, Deserialize)]
    struct ReadableDetail<'a> {
        #[serde(borrow, default)]
        tenant: Option<&'a RawValue>,
    }
    let text = |value: Option<&RawValue>| {
        let text: Option<String> = value.and_then(|value| serde_json::from_str(value.get()).ok());
        text.filter(|text| text.len() <= EVENT_ID_BYTES)
    };
    let event: ReadableEvent<'_> = serde_json::from_str(event).unwrap_or_default();
    // serde would take the first element of an array for the first field.
    let detail = event.detail.map(RawValue::get).filter(|detail| detail.starts_with('{'));
    let detail: Option<ReadableDetail<'_>> = detail.and_then(|detail| serde_json::from_str(detail).ok());
    let tenant = text(detail.and_then(|detail| detail.tenant)).and_then(|tenant| Tenant::parse(&tenant).ok());
    (text(event.id), tenant.map(|tenant| tenant.as_str().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_malformed_event_is_named_as_far_as_its_names_are_readable() {
        let named = |id: &str, tenant: &str| (Some(id.to_owned()), Some(tenant.to_owned()));
        assert_eq!(readable_names(r#"{"id":"e-1","detail":{"tenant":"demo","type":7}}"#), named("e-1", "demo"));
        assert_eq!(readable_names(r#"{"id":"e-1","detail":"text"}"#), (Some("e-1".to_owned()), None));
        assert_eq!(readable_names(r#"{"id":7,"detail":{"tenant":null}}"#), (None, None));
        assert_eq!(readable_names(r#"{"detail":{"tenant":"4111 1111"}}"#), (None, None));
        assert_eq!(readable_names(r#"{"detail":["4111"]}"#), (None, None));
        assert_eq!(readable_names("[1"), (None, None));
        assert_eq!(readable_names(&format!(r#"{{"id":"{}"}}"#, "x".repeat(1000))), (None, None));
    }
}
