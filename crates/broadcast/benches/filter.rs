//! Measures the time to evaluate the patterns of 10,000 connections for one event. Cold is the first event of an instance of
//! the function; warm are the later events.
//!
//! Run it with `cargo bench -p entity-stream-broadcast --bench filter`. The figures are in `BENCHMARKS.md`.

#![expect(clippy::print_stdout, reason = "the benchmark prints its figures")]
#![expect(clippy::unwrap_used, reason = "a benchmark that panics has failed")]

use std::time::{Duration, Instant};

use entity_stream_broadcast::{PatternCache, Verdicts};
use entity_stream_protocol::IdPattern;

const CONNECTIONS: usize = 10_000;
const ROUNDS: usize = 21;
/// The goals for this number of distinct patterns.
const PATTERNS: usize = 100;
const COLD: Duration = Duration::from_millis(10);
const WARM: Duration = Duration::from_millis(2);

/// Typical patterns: a part of an id, a prefix, classes of ASCII and of Unicode, an alternation. The form and the number in it
/// make a pattern distinct.
const KINDS: [fn(usize) -> String; 5] = [
    |i| format!("Room:{i:05}"),
    |i| format!("^urn:ngsi-ld:Room:{i:05}.*"),
    |i| format!("^urn:ngsi-ld:Room:{i:05}[0-9]+$"),
    |i| format!(r"^urn:ngsi-ld:\w+:{i:05}"),
    |i| format!("^urn:ngsi-ld:(Room|Sensor):(floor|level){i:05}-[a-z]+$"),
];

fn main() {
    println!("{CONNECTIONS} connections, median of {ROUNDS} rounds");
    println!("distinct patterns        cold        warm   matched");
    for distinct in [1, PATTERNS, CONNECTIONS] {
        let patterns: Vec<IdPattern> =
            (0..distinct).map(|i| IdPattern::parse(&KINDS[i % KINDS.len()](i)).unwrap()).collect();
        let connections: Vec<IdPattern> = patterns.iter().cycle().take(CONNECTIONS).cloned().collect();
        let (mut cold, mut warm, mut matched) = (Vec::new(), Vec::new(), 0);
        for _ in 0..ROUNDS {
            let cache = PatternCache::default();
            let (time, _) = filter(&cache, &connections, "urn:ngsi-ld:Room:00001");
            cold.push(time);
            let (time, count) = filter(&cache, &connections, "urn:ngsi-ld:Room:00000-sensor-7");
            warm.push(time);
            matched = count;
        }
        let (cold, warm) = (median(cold), median(warm));
        println!("{distinct:>17} {:>8.2} ms {:>8.2} ms {matched:>9}", millis(cold), millis(warm));
        if distinct == PATTERNS && (cold > COLD || warm > WARM) {
            println!("  missed: at most {} ms cold and {} ms warm", millis(COLD), millis(WARM));
        }
    }
}

/// Evaluates the pattern of every connection, as a broadcast does.
fn filter(cache: &PatternCache, connections: &[IdPattern], entity_id: &str) -> (Duration, usize) {
    let start = Instant::now();
    let mut verdicts = Verdicts::new(cache, vec![entity_id]);
    let matched = connections
        .iter()
        .filter(|pattern| verdicts.matching(Some(pattern), || false).is_some_and(|events| !events.is_empty()))
        .count();
    (start.elapsed(), matched)
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
