//! Tests of the whole system through WebSocket clients, AWS SDKs and plain HTTP, against a local system on free ports.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on has failed; helpers are no #[test]s"
)]

mod auth;
mod backlog;
mod batches;
mod bus;
mod closing;
mod dead_letters;
mod deadlines;
mod handlers;
mod handshake;
mod hanging;
#[expect(dead_code, reason = "the tests at scale need more of it")]
mod harness;
mod history;
mod ingest;
mod invoke_api;
mod logs;
mod management;
mod messages;
mod monitor;
mod outcomes;
mod ports;
mod privacy;
mod rust_client;
mod scale;
mod signature;
mod sockets;
mod starting;
mod state;
mod stopping;
mod streaming;
mod subscriptions;
mod template;
mod tenants;
