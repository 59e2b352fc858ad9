use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::event_message::EventMessage;
use crate::event_type::EventType;
use crate::json::to_json;

/// An event in the CloudEvents 1.0 JSON format, structured mode:
/// <https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md>.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CloudEvent<'a> {
    /// The version of CloudEvents, `1.0`.
    #[serde(borrow)]
    pub specversion: Cow<'a, str>,
    /// The event's id.
    #[serde(borrow)]
    pub id: Cow<'a, str>,
    /// `/tenants/` and the tenant.
    #[serde(borrow)]
    pub source: Cow<'a, str>,
    /// The kind of message.
    #[serde(rename = "type")]
    pub event_type: EventType,
    /// The entity's id.
    #[serde(borrow)]
    pub subject: Cow<'a, str>,
    /// The time of the change in RFC 3339.
    #[serde(borrow)]
    pub time: Cow<'a, str>,
    /// `application/json`.
    #[serde(borrow)]
    pub datacontenttype: Cow<'a, str>,
    /// The event.
    #[serde(borrow)]
    pub data: EventMessage<'a>,
}

impl<'a> CloudEvent<'a> {
    /// The envelope of an event that happened at `time`, which is in RFC 3339.
    pub fn new(time: impl Into<Cow<'a, str>>, data: EventMessage<'a>) -> Self {
        Self {
            specversion: "1.0".into(),
            id: data.id.clone(),
            source: format!("/tenants/{}", data.tenant).into(),
            event_type: data.event_type,
            subject: data.entity_id.clone(),
            time: time.into(),
            datacontenttype: "application/json".into(),
            data,
        }
    }

    /// The text frame, in the format `cloudevents`.
    pub fn to_json(&self) -> String {
        to_json(self)
    }

    /// The same message, independent of the text that it borrows from.
    pub fn into_owned(self) -> CloudEvent<'static> {
        let owned = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
        CloudEvent {
            specversion: owned(self.specversion),
            id: owned(self.id),
            source: owned(self.source),
            event_type: self.event_type,
            subject: owned(self.subject),
            time: owned(self.time),
            datacontenttype: owned(self.datacontenttype),
            data: self.data.into_owned(),
        }
    }
}
