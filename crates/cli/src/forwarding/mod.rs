//! Posts events to a URL, one after the other, as they come from a stream.

mod headers;
mod queue;
mod receiver;

pub(crate) use queue::{Forwarding, Unsent};
pub(crate) use receiver::Receiver;
