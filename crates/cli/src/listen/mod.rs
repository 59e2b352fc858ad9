//! Prints the events of a stream, and entities as they are.

mod listener;
mod missed;
mod pretty;
mod resume_file;
mod screen;
mod since;
mod table;
mod tally;
mod units;
mod value;
mod watcher;

pub(crate) use listener::{EventOutput, Listener};
pub(crate) use resume_file::{ResumeFile, SavedPlace};
pub(crate) use since::since;
pub(crate) use watcher::EntityWatcher;
