//! API Gateway's WebSocket front door and its `@connections` API.

mod connections;
mod farewell;
mod frames;
pub(crate) mod handshake;
mod ids;
mod integration;
pub(crate) mod management;
mod outbox;
mod proxy_event;
mod routes;
mod session;
mod tarpit;

pub(crate) use connections::Connections;
pub(crate) use proxy_event::timestamp;
pub(crate) use tarpit::Tarpit;
