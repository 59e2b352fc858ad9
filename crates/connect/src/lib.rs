//! The `$connect` function: accepts a client and registers its connection.
//!
//! - **Trigger**: a WebSocket handshake. API Gateway holds the handshake until the function answers.
//! - **Reads**: the query (`tenant`, `entityTypes`, `idPattern`, `format`, `group_id`), the credential, and the offered
//!   sub-protocols.
//! - **Writes**: the connection and its interests, before the handshake completes. The client therefore misses no event after
//!   the handshake.
//! - **Answers**: 200, with `Sec-WebSocket-Protocol: access_token` if the client offered it; 400 for a malformed query; 401 or
//!   403 if the client may not listen; 503 while streaming is off or the credential cannot be checked; 500 if the table cannot
//!   be written.
//! - **Fails** only if API Gateway did not send the event.
//!
//! The function never posts to its own connection: `@connections` answers 410 until the function has returned.

mod admission;
mod handler;
mod handshake;

pub use handler::Connect;
