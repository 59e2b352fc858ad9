//! Delivers messages to connections through the `@connections` API of API Gateway.
//!
//! [`ManagementApi::post`] is the hot path: a broadcast sends thousands of messages. It signs and sends plain HTTP requests.
//! [`ManagementApi::close`] is rare and uses the AWS SDK.
//!
//! The result of a message is a value ([`Outcome`]), not an error, because a broadcast counts the outcome of each connection.

mod adaptive_limit;
mod backoff;
mod close;
mod endpoint;
mod management_api;
mod message;
mod outcome;
mod signed_posts;

pub use backoff::backoff;
pub use close::CloseError;
pub use endpoint::{Endpoint, InvalidEndpoint};
pub use management_api::ManagementApi;
pub use message::Message;
pub use outcome::Outcome;
