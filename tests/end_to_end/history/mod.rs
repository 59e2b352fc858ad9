//! Clients that come back get what they missed.

mod place;
mod restarts;
mod resume;
mod verdicts;
