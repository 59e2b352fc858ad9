//! The event bus: EventBridge's `PutEvents`, the rule that invokes the broadcast function, and its dead letters.

pub(crate) mod api;
mod backlog;
mod dead_letters;
mod error;
mod fair_queue;
mod invocation;
pub(crate) mod put_events;
mod queued_event;
mod rule;
mod send_message;

pub(crate) use invocation::Bus;
