use serde::Serialize;
use serde_json::value::RawValue;

use crate::cloudevents::CloudEvent;
use crate::limits::MESSAGE_BYTES;
use crate::rfc3339::is_rfc3339;
use crate::{EntityChange, EntityTypes, EpochMillis, Filter, Rejection, RequestId};

/// How a connection wants its events: `format` in the URL.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Format {
    /// The event object itself.
    #[default]
    Json,
    /// A CloudEvents 1.0 structured JSON envelope around it.
    CloudEvents,
}

/// A text that names no format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("format is json (the default) or cloudevents")]
pub struct InvalidFormat;

impl Format {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::CloudEvents => "cloudevents",
        }
    }

    /// Reads a format's name.
    ///
    /// # Errors
    /// [`InvalidFormat`] for anything but `json` and `cloudevents`.
    pub fn parse(text: &str) -> Result<Self, InvalidFormat> {
        match text {
            "json" => Ok(Self::Json),
            "cloudevents" => Ok(Self::CloudEvents),
            _ => Err(InvalidFormat),
        }
    }
}

/// One entity change with the identity that EventBridge gave it, ready to be sent to clients.
#[derive(Clone, Debug)]
pub struct Event {
    id: String,
    time: String,
    change: EntityChange,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EventBody<'a> {
    #[serde(rename = "type")]
    change_type: crate::ChangeType,
    id: &'a str,
    tenant: &'a str,
    service_path: &'a str,
    entity_id: &'a str,
    entity_type: &'a EntityTypes,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    truncated: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data_bytes: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    changed_attributes: Option<&'a [String]>,
    timestamp: &'a str,
}

impl Event {
    /// An event from its envelope's `id` and `time`, which is in RFC 3339, and its `detail`.
    pub fn new(id: impl Into<String>, time: impl Into<String>, change: EntityChange) -> Self {
        Self { id: id.into(), time: time.into(), change }
    }

    /// The same for every receiver and every redelivery.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What changed.
    pub fn change(&self) -> &EntityChange {
        &self.change
    }

    /// The message for every connection of this format: whole if API Gateway carries it, else truncated.
    pub fn message(&self, format: Format) -> String {
        let whole = self.render(format, self.body());
        if whole.len() <= MESSAGE_BYTES { whole } else { self.truncated_message(format) }
    }

    /// The message without `data`, for what is too large to be sent whole.
    pub fn truncated_message(&self, format: Format) -> String {
        let truncated = EventBody {
            data: None,
            truncated: Some(true),
            data_bytes: Some(self.change.data.get().len()),
            ..self.body()
        };
        let message = self.render(format, truncated);
        if message.len() <= MESSAGE_BYTES {
            return message;
        }
        // Only a list of thousands of attributes gets here; all that remains is limited in length.
        let least = EventBody {
            data: None,
            truncated: Some(true),
            data_bytes: Some(self.change.data.get().len()),
            changed_attributes: None,
            ..self.body()
        };
        self.render(format, least)
    }

    fn body(&self) -> EventBody<'_> {
        EventBody {
            change_type: self.change.change_type,
            id: &self.id,
            tenant: self.change.tenant.as_str(),
            service_path: &self.change.service_path,
            entity_id: &self.change.entity_id,
            entity_type: &self.change.entity_types,
            data: Some(&self.change.data),
            truncated: None,
            data_bytes: None,
            changed_attributes: self.change.changed_attributes.as_deref(),
            timestamp: self.timestamp(),
        }
    }

    /// When it happened, as the publisher wrote it: any text.
    fn timestamp(&self) -> &str {
        self.change.timestamp.as_deref().unwrap_or(&self.time)
    }

    /// When it happened, as CloudEvents has to have it: the bus's time where the publisher's is something else.
    fn rfc3339(&self) -> &str {
        self.change.timestamp.as_deref().filter(|timestamp| is_rfc3339(timestamp)).unwrap_or(&self.time)
    }

    fn render(&self, format: Format, body: EventBody<'_>) -> String {
        match format {
            Format::Json => to_json(&body),
            Format::CloudEvents => to_json(&CloudEvent::new(&self.id, self.rfc3339(), &self.change, body)),
        }
    }
}

/// What the server sends to one connection in answer to a message of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerMessage {
    /// The filter is in force: a change published from now on that it matches is delivered.
    Subscribed(Filter, Option<RequestId>),
    /// Nothing is delivered until the next `subscribe`.
    Unsubscribed(Option<RequestId>),
    /// The answer to `ping`.
    Pong(Option<RequestId>),
    /// The connection is authorised until then; until it ends, without a time.
    Authenticated(Option<EpochMillis>, Option<RequestId>),
    /// The message could not be honoured, and changed nothing.
    Error(Rejection),
}

#[derive(Serialize, Default)]
#[serde(rename_all = "camelCase")]
struct AnswerBody<'a> {
    #[serde(rename = "type")]
    message_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    action: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    entity_types: Option<&'a [crate::EntityType]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id_pattern: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
}

impl ServerMessage {
    /// The text frame to send.
    pub fn to_json(&self) -> String {
        let body = match self {
            Self::Subscribed(filter, request_id) => AnswerBody {
                message_type: "subscribed",
                entity_types: Some(filter.entity_types()).filter(|types| !types.is_empty()),
                id_pattern: filter.id_pattern().map(crate::IdPattern::as_str),
                request_id: request_id.as_ref().map(RequestId::as_str),
                ..AnswerBody::default()
            },
            Self::Unsubscribed(request_id) => AnswerBody {
                message_type: "unsubscribed",
                request_id: request_id.as_ref().map(RequestId::as_str),
                ..AnswerBody::default()
            },
            Self::Pong(request_id) => AnswerBody {
                message_type: "pong",
                request_id: request_id.as_ref().map(RequestId::as_str),
                ..AnswerBody::default()
            },
            Self::Authenticated(expires_at, request_id) => AnswerBody {
                message_type: "authenticated",
                expires_at: expires_at.map(EpochMillis::to_rfc3339),
                request_id: request_id.as_ref().map(RequestId::as_str),
                ..AnswerBody::default()
            },
            Self::Error(rejection) => AnswerBody {
                message_type: "error",
                code: Some(rejection.code.as_str()),
                message: Some(&rejection.message),
                action: rejection.action.as_deref(),
                request_id: rejection.request_id.as_ref().map(RequestId::as_str),
                ..AnswerBody::default()
            },
        };
        to_json(&body)
    }
}

#[allow(clippy::expect_used, reason = "serialising strings, numbers and valid raw JSON into memory has no way to fail")]
fn to_json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("strings and raw JSON serialise")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorCode;
    use crate::limits::{
        ENTITY_ID_LENGTH, ENTITY_TYPE_LENGTH, ENTITY_TYPES, EVENT_ID_BYTES, SERVICE_PATH_LENGTH, TENANT_LENGTH,
        TIMESTAMP_LENGTH,
    };

    fn event(detail: &str) -> Event {
        Event::new("9c1e", "2026-01-02T03:04:05Z", EntityChange::parse(detail).unwrap())
    }

    #[test]
    fn an_event_carries_data_byte_for_byte() {
        let detail = r#"{"type":"entityUpdated","tenant":"SmartCity","entityId":"urn:1","entityType":"Room","data":{"z":1.0,"a":12345678901234567890},"changedAttributes":["z"],"timestamp":"2024-01-01T00:00:00Z"}"#;
        assert_eq!(
            event(detail).message(Format::Json),
            r#"{"type":"entityUpdated","id":"9c1e","tenant":"smartcity","servicePath":"/","entityId":"urn:1","entityType":"Room","data":{"z":1.0,"a":12345678901234567890},"changedAttributes":["z"],"timestamp":"2024-01-01T00:00:00Z"}"#
        );
    }

    #[test]
    fn a_cloud_event_wraps_the_same_object() {
        let detail = r#"{"type":"entityDeleted","tenant":"t","entityId":"urn:1","entityType":["A","B"]}"#;
        assert_eq!(
            event(detail).message(Format::CloudEvents),
            r#"{"specversion":"1.0","id":"9c1e","source":"/tenants/t","type":"entityDeleted","subject":"urn:1","time":"2026-01-02T03:04:05Z","datacontenttype":"application/json","data":{"type":"entityDeleted","id":"9c1e","tenant":"t","servicePath":"/","entityId":"urn:1","entityType":["A","B"],"data":{},"timestamp":"2026-01-02T03:04:05Z"}}"#
        );
    }

    #[test]
    fn a_cloud_event_has_the_buss_time_where_the_timestamp_is_none() {
        for (timestamp, time) in [
            ("2026-05-06T07:08:09.5+02:00", "2026-05-06T07:08:09.5+02:00"),
            ("yesterday", "2026-01-02T03:04:05Z"),
            ("", "2026-01-02T03:04:05Z"),
        ] {
            let detail = serde_json::json!({
                "type": "entityUpdated", "tenant": "t", "entityId": "i", "entityType": "T", "timestamp": timestamp,
            });
            let message = event(&detail.to_string()).message(Format::CloudEvents);
            let message: serde_json::Value = serde_json::from_str(&message).unwrap();
            assert_eq!((&message["time"], &message["data"]["timestamp"]), (&time.into(), &timestamp.into()));
        }
    }

    #[test]
    fn what_api_gateway_cannot_carry_is_truncated() {
        let data = format!(r#"{{"blob":"{}"}}"#, "x".repeat(MESSAGE_BYTES));
        let detail =
            format!(r#"{{"type":"entityUpdated","tenant":"t","entityId":"i","entityType":"T","data":{data}}}"#);
        let message: serde_json::Value = serde_json::from_str(&event(&detail).message(Format::Json)).unwrap();
        assert_eq!(message["truncated"], true);
        assert_eq!(message["dataBytes"], data.len());
        assert!(message.get("data").is_none());
        assert_eq!(message["entityId"], "i");
    }

    /// Of all texts that a change may hold, control characters take the most room in JSON.
    #[test]
    fn a_truncated_message_always_fits() {
        let longest = |length| "\u{1}".repeat(length);
        let detail = serde_json::json!({
            "type": "entityUpdated",
            "tenant": "t".repeat(TENANT_LENGTH),
            "entityId": longest(ENTITY_ID_LENGTH),
            "entityType": vec![longest(ENTITY_TYPE_LENGTH); ENTITY_TYPES],
            "servicePath": longest(SERVICE_PATH_LENGTH),
            "timestamp": longest(TIMESTAMP_LENGTH),
            "changedAttributes": (0..40_000).map(|i| format!("attribute{i}")).collect::<Vec<_>>(),
        });
        let change = EntityChange::parse(&detail.to_string()).unwrap();
        let event = Event::new(longest(EVENT_ID_BYTES), "2026-01-02T03:04:05Z", change);
        for format in [Format::Json, Format::CloudEvents] {
            let length = event.message(format).len();
            assert!(length <= MESSAGE_BYTES, "{length}");
        }
    }

    #[test]
    fn answers_are_as_the_contract_shows_them() {
        let id = || RequestId::parse("1").ok();
        let filter = Filter::new(["Room"], Some("^urn")).unwrap();
        assert_eq!(
            ServerMessage::Subscribed(filter, id()).to_json(),
            r#"{"type":"subscribed","entityTypes":["Room"],"idPattern":"^urn","requestId":"1"}"#
        );
        assert_eq!(ServerMessage::Unsubscribed(id()).to_json(), r#"{"type":"unsubscribed","requestId":"1"}"#);
        assert_eq!(ServerMessage::Pong(None).to_json(), r#"{"type":"pong"}"#);
        let until = Some(EpochMillis::new(1_795_212_000_999));
        assert_eq!(
            ServerMessage::Authenticated(until, id()).to_json(),
            r#"{"type":"authenticated","expiresAt":"2026-11-20T22:00:00Z","requestId":"1"}"#
        );
        let rejection = Rejection {
            code: ErrorCode::UnknownAction,
            message: "no".into(),
            action: Some("x".into()),
            request_id: id(),
        };
        assert_eq!(
            ServerMessage::Error(rejection).to_json(),
            r#"{"type":"error","code":"unknown_action","message":"no","action":"x","requestId":"1"}"#
        );
    }
}
