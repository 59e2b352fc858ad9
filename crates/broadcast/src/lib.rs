//! The broadcast function: delivers entity changes to the connections that subscribe to them.
//!
//! - **Trigger**: an EventBridge event whose `detail.type` is one of the three change types, or an array of such events, as
//!   newer event buses send them.
//! - **Reads**: the interests of the event's tenant in everything, in the types of the entity and in the entity. It reads the
//!   record of a connection only if the connection's authorisation seems to have expired, or if a young connection answers 410.
//! - **Writes**: forgets connections that have ended, and closes and forgets connections that take nothing for ten seconds;
//!   sends undeliverable events to the dead-letter queue; puts continuation events on the bus for the part of an audience that
//!   one invocation cannot serve.
//! - **Answers** with a [`Summary`] that counts the outcomes.
//! - **Fails** if the table does not answer for five seconds, if a connection takes nothing and cannot be closed, or if the bus
//!   and the queue do not accept the rest of an event. Lambda then retries the invocation. A connection that already received
//!   the event can receive it again, with the same `id`.
//!
//! The unit of work is a batch: events of one invocation that have the same audience. `batch` forms the batches, `plan`
//! decides which part of the audience this invocation serves, `audience` reads and filters it, `recipients` groups it,
//! `schedule` decides when each is tried and given up, `dispatcher` carries that out, `courier` makes the attempts, `eviction`
//! closes connections that take nothing, and `handover` passes on the rest. `service` connects these parts for one batch, and
//! `handler` does so for one invocation.

mod assignment;
mod audience;
mod batch;
mod bus_event;
mod candidate;
mod continuation;
mod courier;
mod dead_letters;
mod deadline;
mod dispatcher;
mod eviction;
mod former_history;
mod frames;
mod handler;
mod handover;
mod ledger;
mod matched;
mod messages;
mod metrics;
mod plan;
mod read_ahead;
mod recent;
mod recipients;
mod recording;
mod resolution;
mod schedule;
mod selection_cache;
mod service;
mod stating;
mod summary;
mod table_time;
mod verdicts;
mod work_turns;

pub use handler::Broadcast;
// Public for the benchmarks, which evaluate filters without a table.
#[doc(hidden)]
pub use matched::Matched;
#[doc(hidden)]
pub use selection_cache::SelectionCache;
pub use summary::Summary;
#[doc(hidden)]
pub use verdicts::Verdicts;
