//! Says how fast this machine is: the time of a fixed amount of work. `.ci/run` compiles and runs it first, because the
//! time of everything else depends on it.
//!
//! The work is what compilers and tests do most: short dependent calculations, branches, and reads all over memory that
//! the caches do not hold.

use std::hint::black_box;
use std::time::{Duration, Instant};

/// 32 MiB: more than a core's own cache, as a compiler's data is.
const WORDS: usize = 4 << 20;
const STEPS: usize = 40_000_000;

/// The result depends on each step, so that the compiler can leave none out.
fn work(table: &[u64]) -> u64 {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    for step in 0..STEPS {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        // One step in eight leaves the cache.
        let index = if step % 8 == 0 { state as usize % WORDS } else { state as usize % 4096 };
        state = state.wrapping_add(table[index]);
        if state & 1 == 0 {
            state = state.rotate_left(11);
        }
    }
    state
}

fn timed(table: &[u64]) -> Duration {
    let started = Instant::now();
    black_box(work(black_box(table)));
    started.elapsed()
}

fn main() {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let table: Vec<u64> = (0..WORDS as u64).map(|word| word.wrapping_mul(0x2545_F491_4F6C_DD1D) | 1).collect();
    let alone = (0..3).map(|_| timed(&table)).min().unwrap_or_default();
    let together = std::thread::scope(|scope| {
        let running: Vec<_> = (0..cores).map(|_| scope.spawn(|| timed(&table))).collect();
        running.into_iter().filter_map(|each| each.join().ok()).max().unwrap_or_default()
    });
    println!("{cores} cores; the fixed loop takes {} ms on one core, {} ms on all at once", alone.as_millis(), together.as_millis());
}
