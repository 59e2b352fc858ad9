//! The `$connect` function: accepts a client and registers its connection.
//!
//! - **Trigger**: a WebSocket handshake. API Gateway holds the handshake until the function answers.
//! - **Reads**: the query (`tenant`, `entityTypes`, `idPattern`, `format`, `group_id`), the credential, and the offered
//!   sub-protocols.
//! - **Checks**, in this order: origin, tenant, credential, access, quota, everything else. A client that is refused early costs
//!   little.
//! - **Writes**: the connection and its interests, before the handshake completes. The client therefore misses no event after
//!   the handshake.
//! - **Answers**: 200, with `Sec-WebSocket-Protocol: access_token` if the client offered it; 400 for a malformed query; 401 or
//!   403 if the client may not listen; 429 if its subject has too many connections; 503 while streaming is off, or if the
//!   credential cannot be checked or the table does not answer; 500 if the table cannot be written. The answer takes 8 seconds
//!   at most.
//! - **Fails** only if API Gateway did not send the event.
//!
//! The function never posts to its own connection: `@connections` answers 410 until the function has returned.

mod address;
mod admission;
mod handler;
mod handshake;
mod problem;

pub use handler::Connect;
