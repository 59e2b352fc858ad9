//! The far ends of connections, for tests of several crates: a DynamoDB engine, a scripted HTTP endpoint,
//! tokens, sample events and a clock.
//!
//! Only `dev-dependencies` name this crate. It knows the contract and no other crate, so that the tests of every crate can use
//! it.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on has failed")]

mod aws;
mod dynamodb;
mod endpoint;
mod hands;
mod sample;
pub mod tokens;

pub use aws::aws_config;
pub use dynamodb::{dynamodb_url, is_second_engine};
pub use endpoint::{Asked, Endpoint, Reply};
pub use hands::Hands;
pub use sample::sample;
