//! The receiving end: one WebSocket connection, what comes over it, and how it looks.

mod address;
mod credential;
mod frame;
mod listener;
mod pretty;
pub(crate) mod refusal;
mod seen;
pub(crate) mod session;
mod tally;
mod token;

pub(crate) use address::Address;
pub(crate) use credential::{Credential, CredentialArgs};
pub(crate) use listener::{Listener, Output};
pub(crate) use token::Token;
