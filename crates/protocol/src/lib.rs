//! What travels between publishers, the functions and clients: the wire contract of `docs/protocol.md` as types.
//!
//! No I/O and no AWS here. Everything that comes from outside is parsed once, at the boundary, into types that can only
//! hold valid values ([`Tenant`], [`ConnectionId`], [`EntityType`], [`IdPattern`], [`Filter`]); the rest of the house
//! never sees a raw string.

mod access_token;
mod answer;
mod change_type;
mod client_message;
mod clock;
mod close;
mod cloud_event;
mod connect_query;
mod connection_id;
mod entity_change;
mod entity_type;
mod entity_types;
mod epoch_millis;
mod error_code;
mod event;
mod event_message;
mod filter;
mod folding;
mod format;
mod gateway_error;
mod group;
mod hash;
mod id_pattern;
mod json;
pub mod limits;
mod prefilter;
mod rejection;
mod request_id;
mod rfc3339;
mod server_message;
mod tenant;

pub use access_token::AccessToken;
pub use answer::Answer;
pub use change_type::ChangeType;
pub use client_message::{Action, ClientMessage};
pub use clock::Clock;
pub use close::{Close, CloseCode};
pub use cloud_event::CloudEvent;
pub use connect_query::{ConnectQuery, InvalidConnectQuery};
pub use connection_id::{ConnectionId, InvalidConnectionId};
pub use entity_change::{EntityChange, UndeliverableChange};
pub use entity_type::{EntityType, InvalidEntityType};
pub use entity_types::EntityTypes;
pub use epoch_millis::EpochMillis;
pub use error_code::ErrorCode;
pub use event::Event;
pub use event_message::EventMessage;
pub use filter::{Filter, InvalidFilter};
pub use format::{Format, InvalidFormat};
pub use gateway_error::GatewayError;
pub use group::{GroupId, InvalidGroupId};
pub use hash::stable_hash;
pub use id_pattern::{IdPattern, PatternMatcher};
pub use prefilter::Prefilter;
pub use rejection::Rejection;
pub use request_id::{InvalidRequestId, RequestId};
pub use rfc3339::is_rfc3339;
pub use server_message::{InvalidServerMessage, ServerMessage};
pub use tenant::{InvalidTenant, Tenant};
