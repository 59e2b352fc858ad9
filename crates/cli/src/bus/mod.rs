//! The way to an event bus: `PutEvents` on the local system, or on EventBridge.

mod batch;
mod entry;
mod in_flight;
mod lines;
mod publisher;
mod target;

pub(crate) use batch::{BATCH_ENTRIES, Batch};
pub(crate) use entry::{Detail, Entry};
pub(crate) use in_flight::InFlight;
pub(crate) use lines::{Line, Lines};
pub(crate) use publisher::{Outcome, Publisher};
pub(crate) use target::Target;
