//! Counts the instructions for one event, from its text to the text of a message. Callgrind counts them, so the result is the
//! same on a busy machine and on an idle one.
//!
//! Run it with `cargo bench -p entity-stream-broadcast --bench instructions`. It needs `valgrind`. It fails if a count exceeds
//! the recorded count by more than a tenth.

#![expect(clippy::print_stdout, reason = "the benchmark prints its figures")]
#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a benchmark that panics has failed")]

use std::hint::black_box;
use std::process::{Command, ExitCode};

use entity_stream_broadcast::{SelectionCache, Verdicts};
use entity_stream_protocol::{ClientMessage, EntityChange, Event, Filter, Format, MessageForm, Representation, View};
use serde_json::json;

/// The stages and their recorded instruction counts.
const STAGES: [(&str, u64); 12] = [
    ("parse a change of 300 B", 8_633),
    ("parse a change of 8 KB", 110_115),
    ("ask 100 patterns, compiled", 287_478),
    ("ask one pattern for 10,000 connections", 3_543_399),
    ("write a message of 300 B", 5_092),
    ("write it as a CloudEvent", 9_648),
    ("parse a subscribe, and compile its pattern", 297_526),
    ("ask 100 queries, parsed", 375_490),
    ("ask 100 geo-queries, parsed", 312_167),
    ("write bare values of 8 KB", 364_538),
    ("write one attribute of 8 KB", 140_728),
    ("parse a subscribe with q, geoQ and a view", 60_070),
];
/// The share by which a count may exceed its record. Libraries choose other instructions on other processors.
const TOLERANCE: f64 = 0.1;

fn main() -> ExitCode {
    let stage = std::env::args().skip(1).find_map(|argument| argument.strip_prefix("--stage=")?.parse::<usize>().ok());
    if let Some(stage) = stage {
        run(stage);
        return ExitCode::SUCCESS;
    }
    if Command::new("valgrind").arg("--version").output().is_err() {
        println!("skipped: install valgrind to count instructions");
        return ExitCode::SUCCESS;
    }
    println!("                                            instructions    recorded   change");
    let mut code = ExitCode::SUCCESS;
    for (stage, (name, recorded)) in STAGES.into_iter().enumerate() {
        let counted = count(stage);
        // Counts of millions are exact in a float.
        let change = counted as f64 / recorded as f64 - 1.0;
        println!("{name:<43} {counted:>12} {recorded:>11} {:>7.1} %", change * 100.0);
        if change > TOLERANCE {
            println!("  that is more than {} % more", TOLERANCE * 100.0);
            code = ExitCode::FAILURE;
        }
    }
    code
}

/// Runs this executable under callgrind, which counts from the call of [`collected`] to its return.
fn count(stage: usize) -> u64 {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--toggle-collect=*collected*"])
        .arg(format!("--callgrind-out-file={}", folder.path().join("out").display()))
        .arg(std::env::current_exe().unwrap())
        .arg(format!("--stage={stage}"))
        .output()
        .unwrap();
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{log}");
    let collected = log.lines().find_map(|line| line.split_once("Collected : ")).expect("callgrind prints its count");
    collected.1.trim().parse().unwrap()
}

fn run(stage: usize) {
    let (small, large) = (detail(1), detail(60));
    let change = |detail: &str| EntityChange::parse(detail).unwrap();
    match stage {
        0 => measured(|| EntityChange::parse(black_box(&small))),
        1 => measured(|| EntityChange::parse(black_box(&large))),
        2 => {
            let patterns: Vec<_> = (0..100).map(|i| pattern(&format!("^urn:ngsi-ld:Room:{i:03}.*"))).collect();
            ask(&patterns, &small);
        }
        3 => ask(&vec![pattern("^urn:ngsi-ld:Room:.*"); 10_000], &small),
        4 | 5 => {
            let event = Event::new("9c1e6f0a-31c5-4c55-8a27-3d0f5b1c9a44", "2026-01-02T03:04:05Z", change(&small));
            let form = MessageForm::from([Format::Json, Format::CloudEvents][stage - 4]);
            measured(|| event.message(black_box(&form)));
        }
        6 => {
            let message =
                r#"{"action":"subscribe","entityTypes":["Room"],"idPattern":"^urn:ngsi-ld:Room:.*","requestId":"1"}"#;
            measured(|| ClientMessage::parse(black_box(message)));
        }
        7 => ask(
            &(0..100).map(|i| json!({ "q": format!("temperature000>{i}") }).to_string()).collect::<Vec<_>>(),
            &small,
        ),
        8 => ask(&(0..100).map(near).collect::<Vec<_>>(), &placed()),
        9 | 10 => {
            let (attributes, representation) = match stage {
                9 => (&[][..], Representation::KeyValues),
                _ => (&["temperature030"][..], Representation::Normalized),
            };
            let view = View::new(attributes.iter().copied(), representation).unwrap();
            let form = MessageForm { view, ..MessageForm::default() };
            let event = Event::new("9c1e6f0a-31c5-4c55-8a27-3d0f5b1c9a44", "2026-01-02T03:04:05Z", change(&large));
            measured(|| event.message(black_box(&form)));
        }
        _ => {
            let message = json!({
                "action": "subscribe", "subscription": "fast", "q": "speed>50;status==moving", "attributes": ["speed"],
                "geoQ": { "georel": "near;maxDistance==2000", "geometry": "Point", "coordinates": [135.76, 35.01] },
                "representation": "keyValues", "requestId": "1",
            });
            let message = message.to_string();
            measured(|| ClientMessage::parse(black_box(&message)));
        }
    }
}

/// Runs the work twice and counts the second run, because one-time work of a process does not belong to it.
fn measured<T>(work: impl Fn() -> T) {
    black_box(work());
    collected(&work);
}

#[inline(never)]
fn collected<T>(work: &impl Fn() -> T) {
    black_box(work());
}

fn ask(filters: &[String], detail: &str) {
    let event = Event::new("e", "2026-01-02T03:04:05Z", EntityChange::parse(detail).unwrap());
    let cache = SelectionCache::default();
    measured(|| {
        let mut verdicts = Verdicts::new(&cache, [&event]);
        filters
            .iter()
            .filter(|filter| verdicts.matching(None, (filter, ""), || false).is_some_and(|matched| !matched.is_empty()))
            .count()
    });
}

/// The filter of an interest in a type, as the table has it.
fn pattern(text: &str) -> String {
    Filter::new([""; 0], Some(text)).unwrap().to_json()
}

/// A circle in a city, around the change or beside it.
fn near(i: usize) -> String {
    let coordinates = [135.7 + i as f64 / 1000.0, 35.01];
    json!({ "geoQ": { "georel": "near;maxDistance==2000", "geometry": "Point", "coordinates": coordinates } })
        .to_string()
}

/// A change of about 170 bytes, plus 130 for each attribute.
fn detail(attributes: usize) -> String {
    let attribute = |i| {
        let value =
            json!({ "type": "Number", "value": 23.5, "metadata": { "accuracy": { "type": "Number", "value": 0.1 } } });
        (format!("temperature{i:03}"), value)
    };
    let data: serde_json::Map<_, _> = (0..attributes).map(attribute).collect();
    json!({
        "type": "entityUpdated", "tenant": "smartcity", "servicePath": "/", "entityId": "urn:ngsi-ld:Room:001",
        "entityType": "Room", "data": data, "changedAttributes": ["temperature000"], "timestamp": "2024-01-01T00:00:00Z",
    })
    .to_string()
}

/// A change of an entity with a place.
fn placed() -> String {
    json!({
        "type": "entityUpdated", "tenant": "smartcity", "entityId": "urn:ngsi-ld:Room:001", "entityType": "Room",
        "data": { "location": { "type": "GeoProperty", "value": { "type": "Point", "coordinates": [135.75, 35.0] } } },
    })
    .to_string()
}
