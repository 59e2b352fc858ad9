//! The `$default` function with a DynamoDB engine and an `@connections` endpoint.

#![expect(clippy::unwrap_used, reason = "a helper that panics fails the test that called it")]

mod acknowledgement;
mod answers;
mod authentication;
mod exchange;
mod exchange_turns;
mod limits;
mod resume;
mod slow_clients;
mod snapshots;
mod subscriptions;
mod support;
mod sync;
mod verdicts;
mod views;
mod whole_entities;
