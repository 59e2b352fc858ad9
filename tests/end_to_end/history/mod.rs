//! Clients that come back get the missed events.

mod expiry;
mod place;
mod restarts;
mod resume;
mod switching;
mod verdicts;
