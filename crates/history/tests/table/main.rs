//! Tests of the table of the history through its public API, against a real DynamoDB engine. The engine is the embedded one, or
//! a second one at the URL in `ENTITY_STREAM_TEST_DYNAMODB_ENDPOINT`, so that no test depends on one engine.
//!
//! Every test has a table of its own. The tests choose the time and never wait for it.

#![expect(clippy::unwrap_used, reason = "a helper that panics fails the test that called it")]

mod bounds;
mod cache;
mod concurrency;
mod creation;
mod epoch;
mod failures;
mod foreign;
mod isolation;
mod layout;
mod order;
mod pages;
mod round_trip;
mod sharing;
mod support;
