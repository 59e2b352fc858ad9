use crate::body::{DestinationBody, EventNames};
use crate::kind::LetterKind;
use crate::reason::without_values;

/// The error code of malformed events.
const UNDELIVERABLE: &str = "UndeliverableChange";
/// The error code of the rest of an event.
const INCOMPLETE: &str = "DeliveryIncomplete";

/// A message of the queue, as far as its form is known.
#[derive(Clone, Debug, PartialEq)]
pub struct QueuedLetter<'a> {
    /// The kind.
    pub kind: LetterKind,
    /// The code of the error. It is empty if the sender gives none.
    pub code: String,
    /// The message of the error. It may repeat values of the event.
    pub message: String,
    /// The number of invocations, if the sender gives it.
    pub attempts: Option<u64>,
    /// The id of the first event.
    pub event_id: Option<String>,
    /// The tenant of the first event.
    pub tenant: Option<String>,
    /// The number of events.
    pub events: usize,
    /// The payload with which the broadcast function is invoked again. It is a part of the body, byte for byte, so the
    /// event keeps its id, and clients drop it if they have it.
    pub payload: &'a str,
}

impl<'a> QueuedLetter<'a> {
    /// Reads a message from its body and its message attributes.
    pub fn read<'t>(body: &'a str, attribute: impl Fn(&str) -> Option<&'t str>) -> Self {
        let text = |name: &str| attribute(name).unwrap_or_default().to_owned();
        let code = text("ErrorCode");
        let kind = match code.as_str() {
            UNDELIVERABLE => Some(LetterKind::Undeliverable),
            INCOMPLETE => Some(LetterKind::Incomplete),
            _ => None,
        };
        if let Some(kind) = kind {
            return Self::new(kind, code, text("ErrorMessage"), Some(1), body);
        }
        // Source: "Using dead-letter queues to process undelivered events", Amazon EventBridge User Guide.
        if attribute("RULE_ARN").is_some() {
            return Self::new(LetterKind::Unreached, text("ERROR_CODE"), text("ERROR_MESSAGE"), None, body);
        }
        if let Some(destination) = DestinationBody::read(body) {
            let (error, context) = (destination.error(), destination.request_context);
            return Self::new(
                LetterKind::Failed,
                error.error_type.unwrap_or_else(|| context.condition.clone()),
                error.error_message.unwrap_or(context.condition),
                context.approximate_invoke_count,
                destination.request_payload.get(),
            );
        }
        // Lambda's own dead-letter queue. Source: "Dead-letter queues", AWS Lambda Developer Guide.
        let kind = attribute("RequestID").map_or(LetterKind::Unknown, |_| LetterKind::Failed);
        Self::new(kind, code, text("ErrorMessage"), None, body)
    }

    fn new(kind: LetterKind, code: String, message: String, attempts: Option<u64>, payload: &'a str) -> Self {
        let EventNames { id, tenant, events } = EventNames::read(payload);
        Self { kind, code, message, attempts, event_id: id, tenant, events, payload }
    }

    /// The message of the error, without values of the event.
    pub fn reason(&self) -> String {
        without_values(&self.message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENT: &str = r#"{"id":"e-1","detail":{"tenant":"demo","data":{"n":1.0e400}}}"#;

    fn read<'a>(body: &'a str, attributes: &'static [(&str, &str)]) -> QueuedLetter<'a> {
        QueuedLetter::read(body, |name| attributes.iter().find(|(key, _)| *key == name).map(|(_, value)| *value))
    }

    #[test]
    fn each_sender_has_its_form() {
        let letter = read(EVENT, &[("ErrorCode", UNDELIVERABLE), ("ErrorMessage", "missing field `type`")]);
        assert_eq!((letter.kind, letter.reason().as_str()), (LetterKind::Undeliverable, "missing field `type`"));
        assert_eq!((letter.payload, letter.tenant.as_deref()), (EVENT, Some("demo")));

        let rest = format!(r#"{{"id":"e-1","detail":{{"event":{EVENT},"ranges":["0-1"],"depth":0}}}}"#);
        let letter = read(&rest, &[("ErrorCode", INCOMPLETE), ("ErrorMessage", "1 of 2")]);
        assert_eq!((letter.kind, letter.payload), (LetterKind::Incomplete, rest.as_str()));
        assert_eq!((letter.event_id.as_deref(), letter.tenant.as_deref()), (Some("e-1"), Some("demo")));

        let letter = read(EVENT, &[("RULE_ARN", "arn:x"), ("ERROR_CODE", "NO_PERMISSIONS")]);
        assert_eq!((letter.kind, letter.code.as_str()), (LetterKind::Unreached, "NO_PERMISSIONS"));

        let letter = read(EVENT, &[("RequestID", "r"), ("ErrorCode", "200"), ("ErrorMessage", "no table")]);
        assert_eq!((letter.kind, letter.payload), (LetterKind::Failed, EVENT));

        for body in [EVENT, "no JSON", ""] {
            assert_eq!(read(body, &[]).kind, LetterKind::Unknown, "{body}");
        }
    }

    #[test]
    fn the_record_of_a_failed_invocation_holds_the_payload_byte_for_byte() {
        let body = |response: &str| {
            format!(
                r#"{{"version":"1.0","requestContext":{{"requestId":"r","condition":"RetriesExhausted","approximateInvokeCount":3}},
                "requestPayload": {EVENT},"responseContext":{{"statusCode":200,"functionError":"Unhandled"}}{response}}}"#
            )
        };
        let failed = body(r#","responsePayload":{"errorType":"TableUnavailable","errorMessage":"no table"}"#);
        let letter = read(&failed, &[]);
        assert_eq!((letter.kind, letter.payload, letter.attempts), (LetterKind::Failed, EVENT, Some(3)));
        assert_eq!((letter.code.as_str(), letter.message.as_str()), ("TableUnavailable", "no table"));
        for response in ["", r#","responsePayload":null"#, r#","responsePayload":"text""#] {
            let body = body(response);
            assert_eq!(read(&body, &[]).code, "RetriesExhausted", "{response}");
        }
    }
}
