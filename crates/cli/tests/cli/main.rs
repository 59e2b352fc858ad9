//! The command as people and scripts meet it: the real binary, against a local system or a server that misbehaves on
//! purpose.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that panics has failed, and says where")]

mod auth;
mod bad_input;
mod connections;
mod doctor;
mod documented;
mod harness;
mod keys;
mod listen;
mod local;
mod publish;
mod server;
mod simulate;
mod token;
