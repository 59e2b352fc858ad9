//! The broadcast function with a DynamoDB engine and an `@connections` endpoint.

#![expect(clippy::unwrap_used, reason = "a helper that panics fails the test that called it")]

mod frames;
mod outages;
mod positions;
mod renewals;
mod replays;
mod slow_attempts;
mod states;
mod support;
