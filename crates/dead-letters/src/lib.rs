//! The messages of the dead-letter queue: their kinds, the events in them, and the payload that replays them. No I/O.
//!
//! Three senders write to the queue, each in a form of its own: the broadcast function, Lambda and EventBridge.

mod body;
mod kind;
mod letter;
mod reason;

pub use kind::LetterKind;
pub use letter::QueuedLetter;
