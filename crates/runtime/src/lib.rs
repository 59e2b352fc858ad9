//! Runs a function in Lambda: configuration, logs, AWS clients, and the form of events and errors at the edge. The crate of each
//! function holds its behaviour.
//!
//! A `main.rs` calls [`run`] with the `read` of its configuration, a constructor and a handler. The local system and the tests
//! call the same `read` and the same constructor, with another [`Environment`] and other [`AwsServices`].

mod aws;
mod config;
pub mod environment;
mod event;
mod failure;
mod gateway_event;
mod logs;
mod refusals;
mod run;
mod secret;
mod services;

pub use config::{
    AccessConfig, BroadcastConfig, ConfigFault, ConnectConfig, DefaultConfig, DisconnectConfig, EntityStateConfig,
    HistoryConfig, IngestConfig, InvalidConfig, KeySource, TokenConfig, audiences, claim_paths,
};
pub use environment::Environment;
pub use event::read_event;
pub use failure::Failure;
pub use gateway_event::{Caller, respond};
pub use logs::{InvalidLogFilter, log_filter};
pub use refusals::note_refusal;
pub use run::run;
pub use secret::{SecretError, UnreadableSecret, read_secret};
pub use services::AwsServices;
