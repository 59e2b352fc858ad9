use std::borrow::Cow;

use entity_stream_protocol::ChangeType;
use serde::Deserialize;

/// What a text frame from the server is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Frame {
    /// An entity change, in either format: what happened, and its id if it has one.
    Event(ChangeType, Option<String>),
    /// The answer to `subscribe` with this `requestId`.
    Subscribed(Option<String>),
    /// A message of ours was not honoured.
    Error(ErrorFrame),
    /// API Gateway's own complaint, such as `Internal server error`: it knows nothing of our messages.
    Gateway(String),
    /// `pong`, or what a newer server may say.
    Other,
}

/// An `error` answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ErrorFrame {
    pub(crate) code: String,
    pub(crate) message: String,
    pub(crate) request_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Fields<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<Cow<'a, str>>,
    id: Option<String>,
    code: Option<String>,
    message: Option<String>,
    request_id: Option<String>,
}

impl Frame {
    /// Reads a frame. What is not understood is [`Frame::Other`].
    pub(crate) fn parse(text: &str) -> Self {
        let Ok(fields) = serde_json::from_str::<Fields<'_>>(text) else { return Self::Other };
        let kind = fields.kind.as_deref();
        if let Some(change) = ChangeType::ALL.into_iter().find(|change| kind == Some(change.as_str())) {
            return Self::Event(change, fields.id);
        }
        match kind {
            Some("subscribed") => Self::Subscribed(fields.request_id),
            Some("error") => Self::Error(ErrorFrame {
                code: fields.code.unwrap_or_default(),
                message: fields.message.unwrap_or_else(|| "the server gave no reason".to_owned()),
                request_id: fields.request_id,
            }),
            None => fields.message.map_or(Self::Other, Self::Gateway),
            Some(_) => Self::Other,
        }
    }
}

/// A JSON text as one line. `data` is passed on as it was published, line breaks included; JSON allows those between
/// tokens only, so that nothing changes but white space.
pub(crate) fn on_one_line(json: &str) -> Cow<'_, str> {
    if json.contains(['\n', '\r']) { json.replace(['\n', '\r'], " ").into() } else { json.into() }
}

#[cfg(test)]
mod tests {
    use entity_stream_protocol::{Answer, EntityChange, Event, Filter, Format, RequestId};
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn knows_what_the_server_says() {
        let detail = r#"{"type":"entityDeleted","tenant":"t","entityId":"urn:1","entityType":"A"}"#;
        let event = Event::new("9c1e", "2026-01-02T03:04:05Z", EntityChange::parse(detail).unwrap());
        for format in [Format::Json, Format::CloudEvents] {
            assert_eq!(
                Frame::parse(&event.message(format)),
                Frame::Event(ChangeType::EntityDeleted, Some("9c1e".to_owned()))
            );
        }
        let request_id = RequestId::parse("1").ok();
        let subscribed = Answer::Subscribed { filter: Filter::default(), request_id }.to_json();
        assert_eq!(Frame::parse(&subscribed), Frame::Subscribed(Some("1".to_owned())));
        assert_eq!(Frame::parse(&Answer::Pong { request_id: None }.to_json()), Frame::Other);
        let error =
            r#"{"type":"error","code":"invalid_id_pattern","message":"no","action":"subscribe","requestId":"1"}"#;
        let expected =
            ErrorFrame { code: "invalid_id_pattern".into(), message: "no".into(), request_id: Some("1".into()) };
        assert_eq!(Frame::parse(error), Frame::Error(expected));
        let gateway =
            r#"{"message": "Internal server error", "connectionId":"XyZ12cdeIAMCJ1g=", "requestId":"XyZ13E="}"#;
        assert_eq!(Frame::parse(gateway), Frame::Gateway("Internal server error".to_owned()));
    }

    #[test]
    fn a_line_is_a_line() {
        let json = "{\"a\":\n  1.0,\r\n\"b\":\"\\n\"}";
        assert_eq!(on_one_line(json), r#"{"a":   1.0,  "b":"\n"}"#);
        assert!(matches!(on_one_line("{}"), Cow::Borrowed(_)));
    }

    proptest! {
        #[test]
        fn never_panics(text in any::<String>()) {
            let _ = Frame::parse(&text);
        }
    }
}
