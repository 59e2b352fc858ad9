//! Measures geo-queries: 10,000 queries against one event, and the most expensive geometries that a client and a publisher
//! can send.
//!
//! Run it with `cargo bench -p entity-stream-protocol --bench geo_queries`. `BENCHMARKS.md` has the figures.

#![expect(clippy::print_stdout, reason = "the benchmark prints figures")]
#![expect(clippy::unwrap_used, reason = "a failed benchmark has no figures")]

use std::f64::consts::TAU;
use std::time::{Duration, Instant};

use entity_stream_protocol::limits::{GEO_QUERY_BYTES, GEOMETRY_POSITIONS};
use entity_stream_protocol::{EntityGeometry, GeoQuery};
use serde_json::{Value, json};

/// Creates the type and the coordinates of a geometry with about so many positions.
type Family = fn(usize) -> (&'static str, Value);

const FAMILIES: [(&str, Family); 12] = [
    ("points", |n| ("MultiPoint", json!((0..n).map(|i| at(i % 31, i / 31)).collect::<Vec<_>>()))),
    ("circle", |n| ("Polygon", json!([circle(n, 10.0)]))),
    ("comb upwards", |n| ("Polygon", json!([comb(n, |x, y| [x, y])]))),
    ("comb sidewards", |n| ("Polygon", json!([comb(n, |x, y| [y, x])]))),
    ("slanting comb", |n| ("Polygon", json!([comb(n, |x, y| [x * 0.3 + y, y])]))),
    ("comb that slants the same way", |n| ("Polygon", json!([comb(n, |x, y| [x * 0.3 + y + 0.05, y])]))),
    ("triangles", |n| ("MultiPolygon", json!(triangles(n).into_iter().map(|ring| [ring]).collect::<Vec<_>>()))),
    ("area with holes", |n| ("Polygon", json!([vec![square(-20.0, 40.0)], triangles(n - 5)].concat()))),
    ("slanting lines", |n| ("MultiLineString", json!(slanting(n / 2, 0.0)))),
    ("slanting lines between them", |n| ("MultiLineString", json!(slanting(n / 2, 0.1)))),
    ("zigzag", |n| {
        (
            "LineString",
            json!((0..n).map(|i| [round(20.0 * i as f64 / n as f64), (i % 2) as f64 * 20.0]).collect::<Vec<_>>()),
        )
    }),
    ("star", |n| {
        ("LineString", json!((0..n).map(|i| on_circle(10.0, (i * (n / 2)) as f64 / n as f64)).collect::<Vec<_>>()))
    }),
];

const TOPOLOGICAL: [&str; 6] = ["within", "intersects", "disjoint", "contains", "overlaps", "equals"];

/// The number of queries against one event.
const QUERIES: usize = 10_000;

fn round(number: f64) -> f64 {
    (number * 1000.0).round() / 1000.0
}

fn at(x: usize, y: usize) -> [f64; 2] {
    [x as f64 * 0.5, y as f64 * 0.5]
}

fn on_circle(radius: f64, turn: f64) -> [f64; 2] {
    [round(10.0 + radius * (turn * TAU).cos()), round(10.0 + radius * (turn * TAU).sin())]
}

fn circle(positions: usize, radius: f64) -> Vec<[f64; 2]> {
    (0..positions).map(|i| on_circle(radius, (i % (positions - 1)) as f64 / (positions - 1) as f64)).collect()
}

fn square(low: f64, high: f64) -> Vec<[f64; 2]> {
    vec![[low, low], [high, low], [high, high], [low, high], [low, low]]
}

/// An area of long teeth.
fn comb(positions: usize, place: fn(f64, f64) -> [f64; 2]) -> Vec<[f64; 2]> {
    let teeth = (positions - 4) / 2;
    let mut ring: Vec<_> =
        (0..teeth * 2).map(|i| (20.0 * i as f64 / (teeth * 2) as f64, if i % 2 == 0 { 0.0 } else { 20.0 })).collect();
    ring.extend([(20.0, 0.0), (20.0, -1.0), (0.0, -1.0)]);
    let mut ring: Vec<_> = ring.into_iter().map(|(x, y)| place(x, y).map(round)).collect();
    ring.push(ring[0]);
    ring
}

/// Long triangles side by side, whose bounding boxes overlap.
fn triangles(positions: usize) -> Vec<Vec<[f64; 2]>> {
    (0..positions / 4)
        .map(|i| i as f64 * 0.2)
        .map(|x| [[x, 0.0], [x + 20.0, 20.0], [x + 0.1, 0.0], [x, 0.0]].map(|place| place.map(round)).to_vec())
        .collect()
}

fn slanting(lines: usize, start: f64) -> Vec<[[f64; 2]; 2]> {
    (0..lines).map(|i| start + i as f64 * 0.2).map(|x| [[round(x), 0.0], [round(x + 20.0), 20.0]]).collect()
}

/// The shortest of a few times.
fn quickest<T>(work: impl Fn() -> T) -> Duration {
    let time = || {
        let start = Instant::now();
        std::hint::black_box(work());
        start.elapsed()
    };
    (0..3).map(|_| time()).min().unwrap_or_default()
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

fn main() {
    many_queries();
    worst_cases();
}

fn attribute((kind, coordinates): (&str, Value)) -> Value {
    json!({"type": kind, "coordinates": coordinates})
}

fn many_queries() {
    let events = [
        ("a point", attribute(("Point", json!([10.5, 10.5])))),
        ("a polygon of 100 positions", attribute(("Polygon", json!([circle(100, 0.1)])))),
        ("a polygon of 1,000 positions", attribute(("Polygon", json!([circle(1_000, 0.1)])))),
    ];
    let place = |i: usize| (i % 100, i / 100);
    let near = |i: usize| {
        let (x, y) = place(i);
        json!({"georel": "near;maxDistance==20000", "geometry": "Point", "coordinates": [x as f64 * 0.2, y as f64 * 0.2]})
    };
    let area = |georel: &str, i: usize| {
        let (x, y) = place(i);
        let (west, south) = (x as f64 * 0.2, y as f64 * 0.2);
        let ring = circle(25, 0.5).into_iter().map(|[x, y]| [round(x - 10.0 + west), round(y - 10.0 + south)]);
        json!({"georel": georel, "geometry": "Polygon", "coordinates": [ring.collect::<Vec<_>>()]})
    };
    println!("{QUERIES} queries against one event");
    for georel in ["near", "within", "intersects", "overlaps"] {
        let query = |i| GeoQuery::parse(&if georel == "near" { near(i) } else { area(georel, i) }).unwrap();
        let queries: Vec<_> = (0..QUERIES).map(query).collect();
        for (name, event) in &events {
            let matching = || {
                let geometry = EntityGeometry::read(event);
                queries.iter().filter(|query| query.matches(geometry.as_ref())).count()
            };
            println!("{georel:<12} {name:<30} {:>9.0} us, {} match", micros(quickest(matching)), matching());
        }
    }
}

/// The largest geometry of a family that fits a query.
fn largest_query(family: Family, georel: &str) -> Option<GeoQuery> {
    let query = |n: usize| {
        let (geometry, coordinates) = family(n);
        json!({"georel": georel, "geometry": geometry, "coordinates": coordinates})
    };
    let fits = |n: &usize| query(*n).to_string().len() <= GEO_QUERY_BYTES;
    (10..200).rev().filter(fits).find_map(|n| GeoQuery::parse(&query(n)).ok())
}

fn worst_cases() {
    println!(
        "\nthe largest of each kind: reading it, the first match, and the most expensive query for each relation, in us"
    );
    println!(
        "{:<32} {:>8} {:>8} {}",
        "",
        "reading",
        "first",
        TOPOLOGICAL.map(|georel| format!("{georel:>11}")).join("")
    );
    for (name, family) in FAMILIES {
        for positions in [100, 200, 400, GEOMETRY_POSITIONS] {
            let attribute = attribute(family(positions));
            let reading = quickest(|| EntityGeometry::read(&attribute));
            let geometry = EntityGeometry::read(&attribute);
            let equals = largest_query(family, "equals").unwrap();
            let first = quickest(|| equals.matches(EntityGeometry::read(&attribute).as_ref()));
            let worst = TOPOLOGICAL.map(|georel| {
                let queries =
                    FAMILIES.iter().filter_map(|(name, family)| Some((*name, largest_query(*family, georel)?)));
                queries
                    .map(|(name, query)| (quickest(|| query.matches(geometry.as_ref())), name))
                    .max()
                    .unwrap_or_default()
            });
            let worst: Vec<_> =
                worst.iter().map(|(time, name)| format!("{:>11.0} ({name:.9})", micros(*time))).collect();
            println!("{name:<24}{positions:>8} {:>8.0} {:>8.0} {}", micros(reading), micros(first), worst.join(""));
        }
    }
}
