//! Runs many schedules at the same time.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use crate::mutation::Mutation;
use crate::simulate::simulate;

/// Schedules that a thread takes at once.
const BATCH: u64 = 64;

/// Runs the schedules of the first seeds. Returns the least seed that broke the promise, as far as the search came.
pub(crate) fn search(count: u64, mutation: Option<Mutation>) -> Option<u64> {
    let (next, least) = (AtomicU64::new(0), AtomicU64::new(u64::MAX));
    let work = || {
        loop {
            let first = next.fetch_add(BATCH, Ordering::Relaxed);
            if first >= count || least.load(Ordering::Relaxed) < first {
                return;
            }
            let broken = (first..count.min(first + BATCH)).find(|seed| simulate(*seed, mutation, false).is_err());
            least.fetch_min(broken.unwrap_or(u64::MAX), Ordering::Relaxed);
        }
    };
    let threads = thread::available_parallelism().map_or(2, usize::from);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(work);
        }
    });
    let least = least.into_inner();
    (least < u64::MAX).then_some(least)
}

/// Fails with the trace of a seed that broke the promise, and with the way to run it alone.
pub(crate) fn report(seed: u64) -> ! {
    let broken = simulate(seed, None, true).expect_err("the seed breaks the promise");
    panic!(
        "{}\n\nThe schedule of seed {seed}: {}\nRun it alone: ENTITY_STREAM_RESUME_SEED={seed} \
         cargo test -p entity-stream-history --test resume one_seed -- --nocapture",
        broken.trace.join("\n"),
        broken.reason
    );
}
