//! The structure of the workspace, read from its own manifests and sources.
//!
//! Invariants:
//! - A crate uses only the crates that `arrows` allows it.
//! - The modules of a crate use each other in one direction: there is no circle, neither through `super` nor through a
//!   re-export.
//! - A type name has one definition in the whole workspace.
//! - No crate holds more than a quarter of the workspace's code.
//!
//! Code under `#[cfg(test)]`, tests, benchmarks, examples and `crates/testing` are outside these rules. Each rule also runs on small made-up
//! workspaces that break it.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on has failed; helpers are no #[test]s"
)]

mod arrows;
mod circles;
mod known;
mod made_up;
mod names;
mod paths;
mod sizes;
mod source;
mod workspace;
