//! The event bus: EventBridge's `PutEvents`, the rule that invokes the broadcast function, and its dead letters.

pub(crate) mod api;
mod backlog;
mod dead_letters;
mod error;
mod fair_queue;
mod invocation;
pub(crate) mod put_events;
mod queue;
mod queued_event;
mod rule;
mod sqs;
mod sqs_message;

pub(crate) use dead_letters::read as read_letter;
pub(crate) use invocation::Bus;
pub(crate) use queue::QueueMessage;
