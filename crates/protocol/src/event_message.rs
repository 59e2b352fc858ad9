use std::borrow::Cow;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use crate::entity_types::EntityTypes;
use crate::event_type::EventType;
use crate::json::to_json;
use crate::position::Position;
use crate::revision::StateNotice;
use crate::subscription_name::SubscriptionName;

/// An entity change as it travels from the server to a client.
///
/// The fields borrow from the frame that a client read, or from the event that the server sends.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EventMessage<'a> {
    /// The kind of message.
    #[serde(rename = "type")]
    pub event_type: EventType,
    /// The event's id. It is the same for every receiver and every redelivery. The id of a snapshot names the entity and its version.
    #[serde(borrow)]
    pub id: Cow<'a, str>,
    /// The entity's tenant, in lower case.
    #[serde(borrow)]
    pub tenant: Cow<'a, str>,
    /// The `Fiware-ServicePath`.
    #[serde(borrow)]
    pub service_path: Cow<'a, str>,
    /// The entity's id.
    #[serde(borrow)]
    pub entity_id: Cow<'a, str>,
    /// The entity's type or types, as published.
    pub entity_type: Cow<'a, EntityTypes>,
    /// The attributes, a JSON object, byte for byte as published; `{}` if the event is truncated. `None` if the entity left, and in
    /// truncated events of an older server.
    #[serde(default, borrow, deserialize_with = "borrowed", skip_serializing_if = "Option::is_none")]
    pub data: Option<Cow<'a, RawValue>>,
    /// True if the server left out `data`, because API Gateway does not carry an event of that size.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub truncated: bool,
    /// The size in bytes of the data that the server left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_bytes: Option<u64>,
    /// The names of the attributes that changed. Only updates have them, if the publisher sent them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed_attributes: Option<Cow<'a, [String]>>,
    /// The former values of the attributes that changed, a JSON object, in views that show changes.
    #[serde(default, borrow, deserialize_with = "borrowed", skip_serializing_if = "Option::is_none")]
    pub previous: Option<Cow<'a, RawValue>>,
    /// The JSON-LD context of the names in `data`, byte for byte as published.
    #[serde(
        rename = "@context",
        default,
        borrow,
        deserialize_with = "borrowed",
        skip_serializing_if = "Option::is_none"
    )]
    pub context: Option<Cow<'a, RawValue>>,
    /// The time of the change: the publisher's text, which may have any form, or else the bus's time in RFC 3339.
    #[serde(borrow)]
    pub timestamp: Cow<'a, str>,
    /// The subscriptions of the connection that the event matches; the default subscription is an empty name. `None` if the
    /// connection has only the default subscription.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subscriptions: Option<Cow<'a, [SubscriptionName]>>,
    /// The place of the event in the history. `None` if the service keeps no history, or could not write the event into it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<Position>,
    /// True if the event comes from the history.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub replayed: bool,
    /// The version of the entity after the change: it grows with each change of the entity. `None` if the service keeps no state of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
    /// True if the change is older than another one that the service had already. Attributes that have newer values keep them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub late: bool,
    /// True if the service does not know the whole entity.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub partial: bool,
    /// Says that the service keeps states, but none of this entity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<StateNotice>,
}

impl EventMessage<'_> {
    /// The text frame, in the format `json`.
    pub fn to_json(&self) -> String {
        to_json(self)
    }

    /// The same message, independent of the text that it borrows from.
    pub fn into_owned(self) -> EventMessage<'static> {
        let owned = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
        EventMessage {
            event_type: self.event_type,
            id: owned(self.id),
            tenant: owned(self.tenant),
            service_path: owned(self.service_path),
            entity_id: owned(self.entity_id),
            entity_type: Cow::Owned(self.entity_type.into_owned()),
            data: self.data.map(|data| Cow::Owned(data.into_owned())),
            truncated: self.truncated,
            data_bytes: self.data_bytes,
            changed_attributes: self.changed_attributes.map(|names| Cow::Owned(names.into_owned())),
            previous: self.previous.map(|previous| Cow::Owned(previous.into_owned())),
            context: self.context.map(|context| Cow::Owned(context.into_owned())),
            timestamp: owned(self.timestamp),
            subscriptions: self.subscriptions.map(|names| Cow::Owned(names.into_owned())),
            position: self.position,
            replayed: self.replayed,
            version: self.version,
            late: self.late,
            partial: self.partial,
            state: self.state,
        }
    }
}

/// serde borrows a `Cow` of text only, and copies any other.
fn borrowed<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Cow<'de, RawValue>>, D::Error> {
    Ok(Option::<&'de RawValue>::deserialize(deserializer)?.map(Cow::Borrowed))
}
