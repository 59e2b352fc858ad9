//! How an event reaches the bus: EventBridge's `PutEvents` with its limits, partial failures and retry.
//!
//! [`Publisher::publish`] takes any number of entries and a deadline, and returns one result for each entry. Programs that
//! produce events one by one collect them in a [`Batch`], and send batches through [`InFlight`].

mod batch;
mod change;
mod entry;
mod error;
mod in_flight;
pub mod limits;
mod publisher;
mod retry;

pub use batch::Batch;
pub use change::{CHANGE_DETAIL_TYPE, UnpublishableChange};
pub use entry::BusEntry;
pub use error::{PublishError, RequestError};
pub use in_flight::{InFlight, Settled};
pub use publisher::Publisher;
