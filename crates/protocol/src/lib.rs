//! What travels between publishers, the functions and clients: the wire contract of `docs/protocol.md` as types.
//!
//! No I/O and no AWS here. Everything that comes from outside is parsed once, at the boundary, into types that can only
//! hold valid values ([`Tenant`], [`ConnectionId`], [`EntityType`], [`IdPattern`], [`Filter`]); the rest of the house
//! never sees a raw string.

mod change;
mod client;
mod clock;
mod cloudevents;
mod connect_query;
mod connection_id;
mod entity_type;
mod filter;
mod folding;
mod group;
mod hash;
mod id_pattern;
pub mod limits;
mod prefilter;
mod rfc3339;
mod server;
mod tenant;

pub use change::{ChangeType, EntityChange, EntityTypes, UndeliverableChange};
pub use client::{AccessToken, Action, ClientMessage, ErrorCode, Rejection, RequestId};
pub use clock::{Clock, EpochMillis};
pub use connect_query::{ConnectQuery, InvalidConnectQuery};
pub use connection_id::{ConnectionId, InvalidConnectionId};
pub use entity_type::{EntityType, InvalidEntityType};
pub use filter::{Filter, InvalidFilter};
pub use group::{GroupId, InvalidGroupId};
pub use hash::stable_hash;
pub use id_pattern::{IdPattern, PatternMatcher};
pub use prefilter::Prefilter;
pub use rfc3339::is_rfc3339;
pub use server::{Event, Format, InvalidFormat, ServerMessage};
pub use tenant::{InvalidTenant, Tenant};
