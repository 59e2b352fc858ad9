//! How an event reaches the bus: EventBridge's `PutEvents` with its limits, partial failures and retry.
//!
//! [`Publisher::publish`] takes any number of entries and a deadline, and returns one result for each entry. Callers that
//! produce events one by one collect them in a [`Batch`].

mod batch;
mod entry;
mod error;
pub mod limits;
mod publisher;
mod retry;

pub use batch::Batch;
pub use entry::BusEntry;
pub use error::{PublishError, RequestError};
pub use publisher::Publisher;
