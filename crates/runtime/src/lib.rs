//! How a function lives in Lambda: the settings it reads before its first event, its logs, its AWS clients, and the form
//! in which events reach it and errors leave it. What the function does is in its own crate.

mod authentication;
mod aws;
pub mod environment;
mod event;
mod failure;
mod gateway_event;
mod logs;
mod refusals;
mod resources;
mod run;

pub use authentication::{AuthenticationError, UnreadableSecret, authenticator, claim_paths, read_secret, verifier};
pub use aws::aws_config;
pub use environment::{Environment, InvalidVariable};
pub use event::read_event;
pub use failure::Failure;
pub use gateway_event::{Caller, respond};
pub use logs::{InvalidLogFilter, log_filter, start_logs};
pub use refusals::{grant, note_refusal};
pub use run::run;
