//! The frames that a client reads.
//!
//! Invariant: for every message `m` that the server can send, `ServerMessage::parse(&m.to_json())` is `m`. A frame of a
//! newer server is [`ServerMessage::Other`], never an error; new fields in a known message are ignored.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use crate::answer::Answer;
use crate::cloud_event::CloudEvent;
use crate::event_message::EventMessage;
use crate::event_type::EventType;
use crate::gateway_error::GatewayError;
use crate::invalid_json::InvalidJson;

/// A message that a client can receive.
#[derive(Clone, Debug)]
pub enum ServerMessage<'a> {
    /// An event, in the format `json`.
    Event(EventMessage<'a>),
    /// An event, in the format `cloudevents`.
    CloudEvent(CloudEvent<'a>),
    /// Messages about entities that came in one frame, in their order.
    Events(Vec<ServerMessage<'a>>),
    /// An answer to a message of the client's.
    Answer(Answer),
    /// API Gateway's own frame.
    GatewayError(GatewayError),
    /// A message of a type that this version does not know, from a newer server.
    Other(&'a RawValue),
}

/// The frame is not JSON, or a field of a known message is missing or has the wrong type.
#[derive(Debug, thiserror::Error)]
#[error("the frame is not a message of the contract: {0}")]
pub struct InvalidServerMessage(InvalidJson);

impl From<serde_json::Error> for InvalidServerMessage {
    fn from(error: serde_json::Error) -> Self {
        Self(error.into())
    }
}

/// The fields that tell the messages apart.
#[derive(Deserialize)]
struct Discriminant<'a> {
    specversion: Option<IgnoredAny>,
    #[serde(borrow, rename = "type")]
    message_type: Option<Cow<'a, str>>,
    message: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct EventsFields<'a> {
    #[serde(borrow)]
    events: Vec<&'a RawValue>,
}

impl<'a> ServerMessage<'a> {
    /// Reads a text frame.
    ///
    /// # Errors
    /// [`InvalidServerMessage`] if the frame is not a JSON object, or breaks the contract of its message type.
    pub fn parse(frame: &'a str) -> Result<Self, InvalidServerMessage> {
        let discriminant: Discriminant<'_> = serde_json::from_str(frame)?;
        if discriminant.message_type.as_deref() != Some("events") {
            return Self::parse_single(frame, discriminant);
        }
        let EventsFields { events } = serde_json::from_str(frame)?;
        let read = |event: &'a RawValue| Self::parse_single(event.get(), serde_json::from_str(event.get())?);
        Ok(Self::Events(events.into_iter().map(read).collect::<Result<_, _>>()?))
    }

    /// Reads a message that is not a frame of several. Frames do not nest, so no frame makes a client recurse.
    fn parse_single(frame: &'a str, discriminant: Discriminant<'a>) -> Result<Self, InvalidServerMessage> {
        let Discriminant { specversion, message_type, message } = discriminant;
        let is_event = |name: &str| EventType::ALL.into_iter().any(|event_type| event_type.as_str() == name);
        Ok(match message_type.as_deref() {
            Some(name) if is_event(name) && specversion.is_some() => Self::CloudEvent(serde_json::from_str(frame)?),
            Some(name) if is_event(name) => Self::Event(serde_json::from_str(frame)?),
            Some(
                "subscribed" | "unsubscribed" | "snapshot" | "pong" | "synced" | "authenticated" | "dpop_verified"
                | "error",
            ) => Self::Answer(serde_json::from_str(frame)?),
            None if message.is_some() => Self::GatewayError(serde_json::from_str(frame)?),
            _ => Self::Other(serde_json::from_str(frame)?),
        })
    }

    /// The text frame.
    pub fn to_json(&self) -> String {
        match self {
            Self::Event(event) => event.to_json(),
            Self::CloudEvent(event) => event.to_json(),
            Self::Events(messages) => {
                let messages: Vec<_> = messages.iter().map(Self::to_json).collect();
                format!(r#"{{"type":"events","events":[{}]}}"#, messages.join(","))
            }
            Self::Answer(answer) => answer.to_json(),
            Self::GatewayError(error) => error.to_json(),
            Self::Other(frame) => frame.get().to_owned(),
        }
    }

    /// The event, in either format. `None` if this message is not a single event.
    pub fn event(&self) -> Option<&EventMessage<'a>> {
        match self {
            Self::Event(event) | Self::CloudEvent(CloudEvent { data: event, .. }) => Some(event),
            Self::Events(_) | Self::Answer(_) | Self::GatewayError(_) | Self::Other(_) => None,
        }
    }

    /// The events of the frame, in either format.
    pub fn events(&self) -> impl Iterator<Item = &EventMessage<'a>> {
        let messages = match self {
            Self::Events(messages) => messages.as_slice(),
            single => std::slice::from_ref(single),
        };
        messages.iter().filter_map(Self::event)
    }
}
