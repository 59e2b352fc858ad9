//! The real binary, as people and scripts use it, against a local system or against a server that follows the test.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that panics has failed, and says where")]

mod auth;
mod bad_input;
mod bench;
mod collections;
mod connections;
mod contexts;
mod cuts;
mod dead_letters;
mod doctor;
mod doctor_ends;
mod documented;
mod entities;
mod foreign;
mod forwarding;
mod groups;
mod harness;
mod interactive;

mod keys;
mod listen;
mod local;
mod manual;
mod output;
mod publish;
mod recordings;
mod resume;
mod server;
mod simulate;
mod state;
mod subscriptions;
mod token;
