//! API Gateway's WebSocket front door and its `@connections` API.

mod connections;
mod farewell;
mod frames;
pub(crate) mod handshake;
mod ids;
mod integration;
pub(crate) mod management;
mod proxy_event;
mod routes;
mod session;

pub(crate) use connections::Connections;
pub(crate) use proxy_event::timestamp;
