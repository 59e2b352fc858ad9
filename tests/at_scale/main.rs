//! Tests with many connections, many events, many faults and many interleavings.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a helper that panics fails the test that called it")]

mod continuation;
mod crash;
mod faults;
mod flow;
mod groups;
mod notifications;
mod races;
mod receivers;
mod resume_cuts;
mod resume_schedules;
mod resume_world;
mod stragglers;
mod swap;
mod table_down;
mod tenants_share;

#[path = "../end_to_end/harness/mod.rs"]
#[expect(dead_code, unused_imports, reason = "the end-to-end tests need more of it")]
mod harness;
