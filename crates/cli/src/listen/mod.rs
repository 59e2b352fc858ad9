//! Prints the events of a stream, and entities as they are.

mod leaving;
mod listener;
mod missed;
mod pretty;
mod prompt;
mod resume_file;
mod screen;
mod since;
mod sinks;
mod table;
mod tally;
mod units;
mod value;
mod watcher;

pub(crate) use listener::Listener;
pub(crate) use prompt::Prompt;
pub(crate) use resume_file::{ResumeFile, SavedPlace};
pub(crate) use since::since;
pub(crate) use sinks::EventOutput;
pub(crate) use watcher::EntityWatcher;
