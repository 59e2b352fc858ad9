//! The past of each tenant, for clients that come back: the DynamoDB table of events by position, and the argument why a client
//! that resumes misses nothing. No other crate knows the layout of the table.
//!
//! | item | pk | sk |
//! |---|---|---|
//! | event | `H#{tenant}#{time span}#{shard}` | position |
//! | since when the history is written | `E` | `E` |
//!
//! **The argument.** Each *attempt* to deliver an event (a first invocation, Lambda's retry, a continuation) first writes the event
//! at a new position, then reads its audience with strong consistency, then delivers ([`EventAttempt`]). A resume first writes
//! its interests, then reads the history from its position minus an overlap with strong consistency, then replays, then
//! answers ([`PastRequest`]). `resume` says why nothing is missed; `tests/resume` drives both machines with random schedules
//! and looks for an event that was.

mod attempt;
mod epoch;
mod epoch_item;
mod error;
mod keys;
mod query;
mod read;
mod read_plan;
mod resume;
mod schema;
mod shared_reads;
mod slices;
mod state;
mod states_erased;
mod stored_event;
mod table;
mod timing;
mod write;

pub use attempt::{EventAttempt, Permit, UnwrittenAttempt};
pub use epoch::Epoch;
pub use epoch_item::DEPLOYMENT;
pub use error::HistoryError;
pub use keys::{PARTITION_KEY, SORT_KEY, TTL_ATTRIBUTE};
pub use read::{HistoryReader, PastEvents};
pub use read_plan::{ReadPlan, SliceNumber, slice_of, start_of};
pub use resume::{PastReading, PastRequest};
pub use state::{Applied, EntityKey, EntityState, IndexPage, IndexPlace, LastChange, StateTable};
pub use stored_event::PastEvent;
pub use table::HistoryTable;
pub use timing::{CLOCK_SKEW, Timing};
