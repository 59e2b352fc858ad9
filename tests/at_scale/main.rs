//! The system with many connections, many events, many faults, and in many orders of events.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on has failed; helpers are no #[test]s"
)]

mod continuation;
mod crash;
mod faults;
mod flow;
mod groups;
mod races;
mod receivers;
mod stragglers;
mod swap;

#[path = "../end_to_end/harness/mod.rs"]
#[expect(dead_code, unused_imports, reason = "the other tests need more of it")]
mod harness;
