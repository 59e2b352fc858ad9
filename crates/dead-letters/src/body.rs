//! The parts of a message's body that lists show. They are read leniently, because the event may be malformed.

use serde::Deserialize;
use serde_json::value::RawValue;

/// The longest name that is shown, in bytes.
const NAME_BYTES: usize = 256;

/// The form in which Lambda sends an event to the destination of failures.
/// Source: "Capturing records of Lambda asynchronous invocations", AWS Lambda Developer Guide.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DestinationBody<'a> {
    pub(crate) request_context: RequestContext,
    #[serde(borrow)]
    pub(crate) request_payload: &'a RawValue,
    #[serde(default, borrow)]
    response_payload: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RequestContext {
    pub(crate) condition: String,
    pub(crate) approximate_invoke_count: Option<u64>,
}

/// The error of a function, as Lambda reports it.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct ReportedError {
    pub(crate) error_type: Option<String>,
    pub(crate) error_message: Option<String>,
}

impl<'a> DestinationBody<'a> {
    pub(crate) fn read(body: &'a str) -> Option<Self> {
        serde_json::from_str(body).ok()
    }

    pub(crate) fn error(&self) -> ReportedError {
        self.response_payload.and_then(|payload| serde_json::from_str(payload.get()).ok()).unwrap_or_default()
    }
}

/// The names of a payload's first event, and the number of its events.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct EventNames {
    pub(crate) id: Option<String>,
    pub(crate) tenant: Option<String>,
    pub(crate) events: usize,
}

#[derive(Default, Deserialize)]
struct EventEnvelope<'a> {
    #[serde(borrow, default)]
    id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    detail: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
struct EventDetail<'a> {
    #[serde(borrow, default)]
    tenant: Option<&'a RawValue>,
    /// The published event in a continuation.
    #[serde(borrow, default)]
    event: Option<&'a RawValue>,
}

impl EventNames {
    /// Reads an event, a continuation, or an array of them.
    pub(crate) fn read(payload: &str) -> Self {
        let several: Option<Vec<&RawValue>> = serde_json::from_str(payload).ok();
        let (first, events) = match &several {
            Some(several) => (several.first().map_or("", |event| event.get()), several.len()),
            None => (payload, 1),
        };
        let envelope: EventEnvelope<'_> = serde_json::from_str(first).unwrap_or_default();
        let detail = envelope.detail.map(detail).unwrap_or_default();
        let (envelope, detail) = match detail.event.and_then(|event| serde_json::from_str(event.get()).ok()) {
            Some(EventEnvelope { id, detail: inner }) => {
                (EventEnvelope { id, detail: inner }, inner.map(self::detail).unwrap_or_default())
            }
            None => (envelope, detail),
        };
        Self { id: envelope.id.and_then(name), tenant: detail.tenant.and_then(name), events }
    }
}

fn detail(value: &RawValue) -> EventDetail<'_> {
    serde_json::from_str(value.get()).unwrap_or_default()
}

fn name(value: &RawValue) -> Option<String> {
    let text: Option<String> = serde_json::from_str(value.get()).ok();
    text.filter(|text| text.len() <= NAME_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_are_those_of_the_published_event() {
        let names = |id: &str, tenant: &str, events| EventNames {
            id: Some(id.to_owned()),
            tenant: Some(tenant.to_owned()),
            events,
        };
        let event = r#"{"id":"e-1","detail":{"tenant":"demo","type":7}}"#;
        assert_eq!(EventNames::read(event), names("e-1", "demo", 1));
        let continuation = format!(r#"{{"id":"c-1","detail":{{"type":"entityUpdated","event":{event}}}}}"#);
        assert_eq!(EventNames::read(&continuation), names("e-1", "demo", 1));
        assert_eq!(EventNames::read(&format!("[{event},{event}]")), names("e-1", "demo", 2));
    }

    #[test]
    fn what_cannot_be_read_is_absent() {
        for payload in ["", "[1", "7", r#"{"id":7,"detail":{"tenant":{"x":1}}}"#, r#"{"detail":"text"}"#] {
            assert_eq!(EventNames::read(payload), EventNames { id: None, tenant: None, events: 1 }, "{payload}");
        }
        assert_eq!(EventNames::read("[]").events, 0);
        let long = format!(r#"{{"id":"{}"}}"#, "x".repeat(NAME_BYTES + 1));
        assert_eq!(EventNames::read(&long).id, None);
    }
}
