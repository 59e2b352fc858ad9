//! The wire contract between publishers, functions and clients, `docs/protocol.md`, as types.
//!
//! Servers and clients read and write each message with the same type:
//!
//! | direction | written by | read by |
//! |---|---|---|
//! | publisher to bus | [`EntityChange`] with serde | [`EntityChange::parse`] |
//! | client to server | [`ClientMessage::to_json`] | [`ClientMessage::parse`] |
//! | server to client: events | [`Event::message`], as [`EventMessage`] or [`CloudEvent`] | [`ServerMessage::parse`] |
//! | server to client: answers, API Gateway's frames | [`Answer::to_json`], [`GatewayError::to_json`] | [`ServerMessage::parse`] |
//! | refused handshake | [`RefusalBody::to_json`] | [`RefusalBody::parse`] |
//! | end of a connection | [`Close`] | [`CloseCode`] |
//!
//! The crate has no I/O and does not use AWS. The edge of each program parses input once, into types that can hold only valid
//! values ([`Tenant`], [`ConnectionId`], [`EntityType`], [`IdPattern`], [`Subscription`]). All other code uses these types instead
//! of text.

mod access_token;
mod acknowledgement;
mod answer;
mod change_type;
mod client_message;
mod close;
mod cloud_event;
mod connect_query;
mod connection_id;
mod dpop_proof;
mod entity_change;
mod entity_data;
mod entity_id;
mod entity_states;
mod entity_type;
mod entity_types;
mod epoch_millis;
mod error_code;
mod event;
mod event_message;
mod event_type;
mod events_frame;
mod filter;
mod format;
mod gateway_error;
mod geo_query;
mod group_id;
mod invalid_json;
mod json;
pub mod limits;
mod message_form;
mod pattern;
mod position;
mod query;
mod recovery;
mod refusal_body;
mod rejection;
mod request_id;
mod revision;
mod rfc3339;
mod selection;
mod server_message;
mod service_path_pattern;
mod session;
mod since;
mod snapshot_token;
mod subscription;
mod subscription_name;
mod subscriptions;
mod tenant;
mod view;

pub use access_token::AccessToken;
pub use acknowledgement::{Acknowledgement, InvalidAcknowledgement};
pub use answer::Answer;
pub use change_type::ChangeType;
pub use client_message::{Action, ClientMessage, Subscribe};
pub use close::{Close, CloseCode};
pub use cloud_event::CloudEvent;
pub use connect_query::{ConnectQuery, InvalidConnectQuery};
pub use connection_id::{ConnectionId, InvalidConnectionId};
pub use dpop_proof::DpopProof;
pub use entity_change::{EntityChange, UndeliverableChange};
pub use entity_data::EntityData;
pub use entity_id::{EntityId, InvalidEntityId};
pub use entity_states::{EntityStates, FormerState, PresentEntity};
pub use entity_type::{EntityType, InvalidEntityType};
pub use entity_types::EntityTypes;
pub use epoch_millis::EpochMillis;
pub use error_code::ErrorCode;
pub use event::Event;
pub use event_message::EventMessage;
pub use event_type::EventType;
pub use events_frame::{EventsFrame, pack_events};
pub use filter::{Filter, FilterFields, FilterScopes, InvalidFilter};
pub use format::{Format, InvalidFormat};
pub use gateway_error::GatewayError;
pub use geo_query::{EntityGeometry, GeoQuery, InvalidCoordinates, InvalidGeoQuery, InvalidGeorel};
pub use group_id::{GroupId, InvalidGroupId};
pub use invalid_json::InvalidJson;
pub use json::empty_object;
pub use message_form::MessageForm;
pub use pattern::{IdPattern, InvalidPattern, PatternMatcher, Prefilter};
pub use position::{InvalidPosition, Position};
pub use query::{InvalidQuery, Query, QueryFault};
pub use recovery::{NotRecovered, Recovery};
pub use refusal_body::RefusalBody;
pub use rejection::Rejection;
pub use request_id::{InvalidRequestId, RequestId};
pub use revision::{Revision, StateNotice};
pub use rfc3339::{is_rfc3339, micros_of_rfc3339, rfc3339_of_micros};
pub use selection::{ChangeFacts, Selection, Verdict};
pub use server_message::{InvalidServerMessage, ServerMessage};
pub use service_path_pattern::{InvalidServicePathPattern, ServicePathPattern};
pub use session::{InvalidSession, Session};
pub use since::Since;
pub use snapshot_token::{InvalidSnapshotToken, SnapshotToken};
pub use subscription::Subscription;
pub use subscription_name::{InvalidSubscriptionName, SubscriptionName};
pub use subscriptions::Subscriptions;
pub use tenant::{InvalidTenant, Tenant};
pub use view::{InvalidView, JsonMembers, Representation, View, is_attribute, json_object, json_text};
