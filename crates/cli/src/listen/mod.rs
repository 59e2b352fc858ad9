//! Prints the events of a stream.

mod listener;
mod missed;
mod pretty;
mod resume_file;
mod since;
mod tally;
mod units;
mod value;

pub(crate) use listener::{EventOutput, Listener};
pub(crate) use resume_file::{ResumeFile, SavedPlace};
pub(crate) use since::since;
