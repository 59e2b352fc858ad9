//! Measures the way of changes from a publisher to many connections.

mod benchmark;
mod listeners;
mod report;

pub(crate) use benchmark::Benchmark;
pub(crate) use report::BenchOutput;
