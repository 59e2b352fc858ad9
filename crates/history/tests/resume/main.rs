//! A simulation that tries to refute the argument of this crate: a client that was told at each resume that nothing was missed
//! has received every event that matches.
//!
//! The machines of the crate decide. The drivers here stand for the functions, and models stand for DynamoDB, API Gateway,
//! EventBridge and Lambda: slow, failing and repeated writes, reads in pages, slow and stuck connections, processes that end at
//! any step, retries, duplicates, continuations that wait for minutes, clocks that differ, clients that drop and resume. A seed
//! determines a schedule. `mutations` shows that the simulation notices mistakes.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a model that is wrong fails the test")]

mod attempt;
mod audience;
mod bus;
mod chance;
mod client;
mod delivery;
mod gateway;
mod instances;
mod interests;
mod invocation;
mod life;
mod message;
mod mutation;
mod mutations;
mod past_table;
mod reading;
mod schedule;
mod search;
mod seeds;
mod simulate;
mod subscribing;
mod subscription;
mod theme;
mod truth;
mod world;
