//! Prints the events of a stream.

mod listener;
mod pretty;
mod tally;
mod units;
mod value;

pub(crate) use listener::{EventOutput, Listener};
