//! The publisher against an event bus at the other end of a socket, which answers as each test says.

#![expect(clippy::unwrap_used, reason = "a helper that panics fails the test that called it")]

mod in_flight;
mod partial_failure;
mod requests;
mod retry;
mod scripted;
