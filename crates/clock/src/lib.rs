//! The source of the time of day. The wire contract has moments; the clock that reads the present one is here.

mod clock;

pub use clock::Clock;
