//! Prints the events of a stream.

mod listener;
mod pretty;
mod tally;

pub(crate) use listener::{EventOutput, Listener};
