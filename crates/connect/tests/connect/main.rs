//! The `$connect` function with a DynamoDB engine, and its binary with a Runtime API.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a helper that panics fails the test that called it")]

mod admission;
mod lambda;
mod registration;
mod support;
