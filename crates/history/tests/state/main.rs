//! Tests of the states of entities through the public API, against a real DynamoDB engine: the embedded one, or a second one at the
//! URL in `ENTITY_STREAM_TEST_DYNAMODB_ENDPOINT`.
//!
//! `model` applies the rules of the contract in another way than the crate does. Random changes have to lead both to the same states.

#![expect(clippy::unwrap_used, reason = "a helper that panics fails the test that called it")]

mod changes;
mod client;
mod concurrency;
mod crashes;
mod erasing;
mod index;
mod layout;
mod merging;
mod model;
mod permutations;
mod repeats;
mod sequences;
mod support;
