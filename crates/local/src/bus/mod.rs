//! The event bus: EventBridge's `PutEvents`, the rule that invokes the broadcast function, and its dead letters.

pub(crate) mod api;
mod dead_letters;
mod error;
mod invocation;
pub(crate) mod put_events;
mod rule;
mod send_message;

pub(crate) use invocation::Bus;
