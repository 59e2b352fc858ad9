//! How a message reaches a connection: the `@connections` API of API Gateway and its outcomes.
//!
//! An outcome is a value, not an error: a broadcast has one for each of its connections and accounts for all of them.

mod management_api;
mod message;
mod outcome;
mod pace;
mod signed_http;

pub use management_api::{InvalidEndpoint, ManagementApi, backoff};
pub use message::Message;
pub use outcome::Outcome;
