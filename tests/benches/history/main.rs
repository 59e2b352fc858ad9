//! What the history costs: an event with it and without it, a resume after an absence, 5,000 clients that come back at once,
//! the messages that frames of several events save, and the cost of entity state.
//!
//! `cargo bench -p entity-stream-tests --bench history`; the figures are in `BENCHMARKS.md`. With `-- reconnect` and the like, it
//! measures one part; `-- reconnect 50` has so many clients. It fails if a client that comes back is not told that it missed nothing.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "the benchmark prints its figures, and a benchmark that panics has failed"
)]

mod event;
mod frames;
mod reconnect;
mod resume;
mod setting;
mod state;
mod storm_reads;

#[tokio::main]
async fn main() {
    let arguments = || std::env::args().skip(1).filter(|argument| !argument.starts_with('-'));
    let sizes: Vec<usize> = arguments().filter_map(|argument| argument.parse().ok()).collect();
    let parts: Vec<_> = arguments().filter(|argument| argument.parse::<usize>().is_err()).collect();
    let is_wanted = |part: &str| parts.is_empty() || parts.iter().any(|wanted| wanted == part);
    if is_wanted("event") {
        event::measure().await;
    }
    if is_wanted("frames") {
        frames::measure();
    }
    if is_wanted("resume") {
        resume::measure().await;
    }
    if is_wanted("reconnect") {
        reconnect::measure(&sizes).await;
    }
    if is_wanted("state") {
        state::measure().await;
    }
}
