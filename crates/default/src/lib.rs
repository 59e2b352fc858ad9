//! The `$default` function: handles the messages of clients.
//!
//! - **Trigger**: a text message without a route of its own: `subscribe`, `unsubscribe`, `authenticate`, `sync`, `ping` where API
//!   Gateway does not answer it, and every malformed message.
//! - **Reads and writes**: the subscriptions, the authorisation and the interests of the connection.
//! - **Reads** the states of entities for a snapshot, and the history of the tenant for a client that comes back, and for the moment in which a subscription is exchanged.
//! - **Answers** through `@connections` instead of its result. A two-way route would send an empty frame after each message
//!   without an answer, and clients of the original contract fail on empty frames.
//! - **Fails** if an answer cannot be delivered. API Gateway then sends the client an `Internal server error` frame.
//!
//! API Gateway may deliver the messages of one connection at the same time and in any order. The table decides which filter is
//! the last.

mod authentication;
mod current_entity;
mod handler;
mod past;
mod proof;
mod refusal;
mod replay;
mod reply;
mod snapshot;
mod snapshot_scopes;
mod state_fault;
mod state_wish;
mod subscribing;

pub use handler::DefaultRoute;
