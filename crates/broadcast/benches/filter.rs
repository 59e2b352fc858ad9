//! Measures the time to evaluate the filters of 10,000 connections for one event, with 1, 100 and 10,000 distinct ones. Cold is
//! the first event of an instance of the function; warm are the later events.
//!
//! Run it with `cargo bench -p entity-stream-broadcast --bench filter`. The figures are in `BENCHMARKS.md`.

#![expect(clippy::print_stdout, reason = "the benchmark prints its figures")]
#![expect(clippy::unwrap_used, reason = "a benchmark that panics has failed")]

use std::time::{Duration, Instant};

use entity_stream_broadcast::{SelectionCache, Verdicts};
use entity_stream_protocol::{EntityChange, Event};
use serde_json::{Value, json};

const CONNECTIONS: usize = 10_000;
const ROUNDS: usize = 21;

/// A kind of filter: its name, the filter with a number that makes it distinct, and the goals.
type Kind = (&'static str, fn(usize) -> Value, &'static [Goal]);

/// For this number of distinct filters, the longest time cold and warm.
type Goal = (usize, Option<Duration>, Option<Duration>);

const fn ms(millis: u64) -> Option<Duration> {
    Some(Duration::from_millis(millis))
}

const KINDS: [Kind; 4] = [
    ("idPattern", pattern, &[(100, ms(10), ms(2))]),
    ("q", comparison, &[(10_000, None, ms(15))]),
    ("q with a regex", regex, &[]),
    ("geoQ near", near, &[(10_000, None, ms(10))]),
];

/// Typical patterns: a part of an id, a prefix, classes of ASCII and of Unicode, an alternation.
fn pattern(i: usize) -> Value {
    let pattern = match i % 5 {
        0 => format!("Room:{i:05}"),
        1 => format!("^urn:ngsi-ld:Room:{i:05}.*"),
        2 => format!("^urn:ngsi-ld:Room:{i:05}[0-9]+$"),
        3 => format!(r"^urn:ngsi-ld:\w+:{i:05}"),
        _ => format!("^urn:ngsi-ld:(Room|Sensor):(floor|level){i:05}-[a-z]+$"),
    };
    json!({ "idPattern": pattern })
}

/// One comparison with a number. Half of them match.
fn comparison(i: usize) -> Value {
    json!({ "q": format!("speed>{}", i as f64 / 100.0) })
}

/// A regular expression for a name.
fn regex(i: usize) -> Value {
    json!({ "q": format!(r#"name~="^line {i:05}: .*stop$""#) })
}

/// Circles in a city, of which the vehicle is in some.
fn near(i: usize) -> Value {
    let (x, y) = ((i % 100) as f64 / 1000.0, (i / 100) as f64 / 1000.0);
    json!({ "geoQ": {
        "georel": format!("near;maxDistance=={}", 500 + i % 7), "geometry": "Point", "coordinates": [135.7 + x, 34.9 + y],
    }})
}

fn event(id: &str) -> Event {
    let detail = json!({
        "type": "entityUpdated", "tenant": "demo", "entityId": id, "entityType": "Vehicle",
        "data": {
            "speed": { "type": "Property", "value": 50.0, "unitCode": "KMH", "observedAt": "2026-01-02T03:04:05Z" },
            "name": { "type": "Property", "value": "line 00042: last stop" },
            "location": { "type": "GeoProperty", "value": { "type": "Point", "coordinates": [135.75, 34.95] } },
        },
    });
    Event::new("e", "2026-01-02T03:04:05Z", EntityChange::parse(&detail.to_string()).unwrap())
}

fn main() {
    println!("{CONNECTIONS} connections, median of {ROUNDS} rounds");
    println!("filter           distinct        cold        warm   matched");
    let (first, later) = (event("urn:ngsi-ld:Room:00001"), event("urn:ngsi-ld:Room:00000-sensor-7"));
    for (name, kind, goals) in KINDS {
        for distinct in [1, 100, CONNECTIONS] {
            let filters: Vec<String> = (0..distinct).map(|i| kind(i).to_string()).collect();
            let connections: Vec<String> = filters.iter().cycle().take(CONNECTIONS).cloned().collect();
            let (mut cold, mut warm, mut matched) = (Vec::new(), Vec::new(), 0);
            for _ in 0..ROUNDS {
                let cache = SelectionCache::default();
                let (time, _) = filter(&cache, &connections, &first);
                cold.push(time);
                let (time, count) = filter(&cache, &connections, &later);
                warm.push(time);
                matched = count;
            }
            let (cold, warm) = (median(cold), median(warm));
            println!("{name:<16} {distinct:>8} {:>8.2} ms {:>8.2} ms {matched:>9}", millis(cold), millis(warm));
            let goal = goals.iter().find(|(wanted, ..)| *wanted == distinct);
            if goal.is_some_and(|(_, most_cold, most_warm)| {
                most_cold.is_some_and(|most| cold > most) || most_warm.is_some_and(|most| warm > most)
            }) {
                println!("  missed: {goal:?}");
            }
        }
    }
}

/// Evaluates the filter of every connection, as a broadcast does.
fn filter(cache: &SelectionCache, connections: &[String], event: &Event) -> (Duration, usize) {
    let start = Instant::now();
    let mut verdicts = Verdicts::new(cache, [event]);
    let matched = connections
        .iter()
        .filter(|filter| verdicts.matching(None, (filter, ""), || false).is_some_and(|matched| !matched.is_empty()))
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
