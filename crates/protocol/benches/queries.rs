//! Measures queries on one event: 10,000 distinct comparisons, as many clients send them, and the most expensive queries that
//! a client can send.
//!
//! Run it with `cargo bench -p entity-stream-protocol --bench queries`. `BENCHMARKS.md` has the figures.

#![expect(clippy::print_stdout, reason = "the benchmark prints figures")]
#![expect(clippy::unwrap_used, reason = "a failed benchmark has no figures")]

use std::time::{Duration, Instant};

use entity_stream_protocol::limits::MESSAGE_BYTES;
use entity_stream_protocol::{EntityData, Query};
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};

/// The number of distinct queries for one event.
const QUERIES: usize = 10_000;

fn main() {
    let event = raw(&event());
    let data = EntityData::new(Some(&event));
    println!(
        "reading the data of an event of {} bytes   {:>9.1} us",
        event.get().len(),
        micros(|| EntityData::new(Some(&event)))
    );
    println!("\n10,000 distinct queries                        parsing  matching   one query");
    for (name, text) in [
        ("a number", (|n| format!("speed>{}.{n}", n % 97)) as fn(usize) -> String),
        ("a missing attribute", |n| format!("a{n}==1")),
        ("a string", |n| format!("name==\"Vehicle {n}\"")),
        ("a range", |n| format!("speed=={n}..{}", n + 10)),
        ("a list of ten", |n| format!("name=={}", (0..10).map(|i| format!("v{n}-{i}")).collect::<Vec<_>>().join(","))),
        ("a member of an NGSIv2 value", |n| format!("address[geo.zip]=={n}")),
        ("a time of a sub-attribute", |n| format!("speed.observedAt>2026-01-02T03:04:05.{n}Z")),
        ("a regular expression that does not match", |n| format!("name~=^Bus {n}$")),
        ("a regular expression that matches", |n| format!("name~=^Vehicle [0-9]+$|x{n}")),
        ("three terms", |n| format!("speed>{n};name~=x|kind==van;speed<{n}")),
    ] {
        let texts: Vec<_> = (0..QUERIES).map(text).collect();
        let parsing = quickest(|| texts.iter().filter(|text| Query::from_stored(text).is_ok()).count());
        let queries: Vec<_> = texts.iter().map(|text| Query::parse(text).unwrap()).collect();
        let matching = quickest(|| queries.iter().filter(|query| query.matches(&data)).count());
        print(name, parsing, matching);
    }
    println!("\nthe most expensive queries, on 128 KB of data  parsing  matching");
    for (name, text, attribute) in hostile() {
        let event = raw(&json!({"a": attribute}));
        assert!(event.get().len() <= MESSAGE_BYTES);
        let data = EntityData::new(Some(&event));
        let parsing = quickest(|| Query::parse(&text).is_ok());
        let query = Query::parse(&text).unwrap();
        let matching = quickest(|| query.matches(&data));
        println!("{name:<44} {:>7.2} ms {:>6.2} ms   {} steps", millis(parsing), millis(matching), query.steps(&data));
    }
}

/// An event of ordinary size, in three of the forms.
fn event() -> Value {
    json!({
        "speed": {"type": "Property", "value": 55.5, "unitCode": "KMH", "observedAt": "2026-01-02T03:04:05.678Z"},
        "name": {"type": "Property", "value": "Vehicle 7"},
        "location": {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [139.767, 35.681]}},
        "driver": {"type": "Relationship", "object": "urn:ngsi-ld:Person:1"},
        "address": {"type": "StructuredValue", "value": {"geo": {"zip": 10115}}, "metadata": {}},
        "kind": "car",
    })
}

fn hostile() -> Vec<(&'static str, String, Value)> {
    let terms = |term: &str, separator: &str| vec![term; 32].join(separator);
    let numbers = json!(vec![1; 60_000]);
    let texts = json!(vec!["xy"; 25_000]);
    let dates = json!(vec!["2026-01-02T03:04:05Z"; 5_000]);
    let instances: Vec<_> = (0..2_500).map(|_| json!({"value": 1, "datasetId": "urn:ngsi-ld:Dataset:1"})).collect();
    let members: serde_json::Map<_, _> = (0..9_000).map(|n| (n.to_string(), json!(""))).collect();
    let distinct = (0..203).map(|n| (1_000 + n).to_string()).collect::<Vec<_>>().join(",");
    let ambiguous: String = (0..1024).map(|n| if (n * n / 7) % 3 == 0 { 'a' } else { 'b' }).collect();
    let ambiguous = json!(ambiguous);
    let wide: String = (0..256).map(|n| if (n * n / 7) % 3 == 0 { '\u{1d4b3}' } else { '\u{1d4b4}' }).collect();
    let wide = json!(wide);
    vec![
        ("32 comparisons with numbers", terms("a==2", "|"), numbers.clone()),
        ("a list of 203 distinct numbers", format!("a=={distinct}"), numbers),
        ("32 comparisons with texts", terms("a==xz", "|"), texts.clone()),
        ("32 ranges of texts", terms("a==xz..zz", "|"), texts),
        ("32 ranges of times", terms("a==2027-01-02..2028-01-02", "|"), dates),
        ("32 terms on instances", terms("a>1", "|"), json!(instances)),
        ("32 terms on members", terms("a[*]==x", "|"), json!(members)),
        ("32 regular expressions on empty members", terms("a[*]~=x", "|"), json!(members)),
        ("16 regular expressions on a long text", vec!["a~=a[ab]{4}[^ab]"; 16].join("|"), ambiguous.clone()),
        ("one regular expression of the highest cost", highest(|n| format!("a~=[ab]*a[ab]{{0,{n}}}[^ab]")), ambiguous),
        (
            "the same with characters of four bytes",
            highest(|n| format!("a~=[\u{1d4b3}\u{1d4b4}]*\u{1d4b3}[\u{1d4b3}\u{1d4b4}]{{0,{n}}}[^\u{1d4b3}\u{1d4b4}]")),
            wide,
        ),
        ("large classes", highest(|n| format!(r"a~=\w{{{n}}}\W")), json!("\u{e4}".repeat(512))),
    ]
}

/// The query of the greatest number that is accepted.
fn highest(query: impl Fn(usize) -> String) -> String {
    let accepted = |n: &usize| Query::parse(&query(*n)).is_ok();
    query((1..400).take_while(accepted).last().unwrap())
}

fn raw(value: &Value) -> Box<RawValue> {
    to_raw_value(value).unwrap()
}

fn print(name: &str, parsing: Duration, matching: Duration) {
    let nanos = matching.as_nanos() / QUERIES as u128;
    println!("{name:<44} {:>7.2} ms {:>6.2} ms {nanos:>8} ns", millis(parsing), millis(matching));
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

fn micros<T>(work: impl Fn() -> T) -> f64 {
    quickest(work).as_secs_f64() * 1_000_000.0
}

/// The shortest of a few times. Other work of the machine makes a time longer, never shorter.
fn quickest<T>(work: impl Fn() -> T) -> Duration {
    let time = || {
        let start = Instant::now();
        std::hint::black_box(work());
        start.elapsed()
    };
    (0..9).map(|_| time()).min().unwrap_or_default()
}
