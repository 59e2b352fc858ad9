//! The broadcast function: takes an entity change to every connection that wants it.
//!
//! - **Trigger**: an EventBridge event whose `detail.type` is one of the three change types, or an array of such events,
//!   as newer buses send them.
//! - **Reads**: the interests of the change's tenant in its types, and those in every type; nothing else.
//! - **Writes**: forgets connections that are gone; puts what can reach nobody on the dead-letter queue, once; puts
//!   continuation events on the bus, for what one invocation cannot serve.
//! - **Answers** with counts of what became of the connections.
//! - **Fails** if the table cannot be read at all, or what is left can be handed on to nobody. Lambda then tries the whole
//!   event again: who has it already gets it twice, with the same `id`.

mod audience;
mod continuation;
mod dead_letters;
mod deliver;
mod envelope;
mod handler;
mod messages;
mod metrics;
mod patterns;
mod recent;
mod report;
mod resolution;
mod send;
mod serve;
mod units;

pub use crate::dead_letters::DeadLetterQueue;
pub use crate::handler::{Broadcast, Outlets};
// Public for the benchmarks, which ask them without a table around.
#[doc(hidden)]
pub use crate::patterns::{PatternCache, Verdicts};
pub use crate::report::Report;
