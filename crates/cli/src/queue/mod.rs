//! The dead-letter queue of a local or a deployed system, and the function that replays its messages.
//!
//! SQS has no list of messages. A command receives them, which hides them from other readers, and gives them back.

mod access;
mod function;
mod held;
mod signed_invoke;

pub(crate) use access::{MOST, QueueAccess, QueueOptions, check_ids};
pub(crate) use function::{BroadcastFunction, ReplayResult};
pub(crate) use held::HeldLetter;
