//! Tests of the table through its public API, against a real DynamoDB engine. The engine is the embedded one, or a second one
//! at the URL in `ENTITY_STREAM_TEST_DYNAMODB_ENDPOINT`, so that no test depends on one engine.
//!
//! Every test has a table of its own. The tests choose the time and never wait for it.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a helper that panics fails the test that called it")]

mod authorise;
mod concurrency;
mod conflict;
mod creation;
mod death;
mod expiry;
mod foreign;
mod forget;
mod groups;
mod isolation;
mod limits;
mod list;
mod model;
mod pages;
mod proofs;
mod quota;
mod races;
mod ranges;
mod reads;
mod register;
mod scopes;
mod sessions;
mod several;
mod subscribe;
mod support;
mod swaps;
