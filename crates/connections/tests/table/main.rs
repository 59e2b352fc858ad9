//! The table through its public API, against a real DynamoDB engine: the embedded one, or, so that no test holds only for that one, whatever
//! listens at the URL in `ENTITY_STREAM_TEST_DYNAMODB_ENDPOINT`.
//!
//! Every test has a table of its own. Time is chosen, never waited for.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a helper that panics fails the test that called it")]

mod authorise;
mod conflict;
mod creation;
mod death;
mod expiry;
mod foreign;
mod forget;
mod isolation;
mod kept;
mod leftovers;
mod list;
mod model;
mod pages;
mod races;
mod ranges;
mod reads;
mod register;
mod subscribe;
mod support;
mod swaps;
