//! Input that is made to be slow or to fail.

use entity_stream_protocol::{EntityGeometry, GeoQuery};
use proptest::prelude::*;
use serde_json::{Value, json};

const GEORELS: [&str; 8] = [
    "near;maxDistance==1000000",
    "near;minDistance==1000000",
    "within",
    "intersects",
    "disjoint",
    "contains",
    "overlaps",
    "equals",
];

/// Numbers that meet often, that differ in their last digits, and any.
fn number() -> impl Strategy<Value = f64> {
    prop_oneof![
        6 => (-3..4).prop_map(f64::from),
        2 => (-3..4, -3..4).prop_map(|(n, ulps)| f64::from(n) + f64::from(ulps) * f64::EPSILON),
        1 => prop::sample::select(vec![0.1, 0.2, 0.3, 1.0 / 3.0, -0.0, 1e-300, 5e-324, 90.0, -90.0, 180.0, -180.0]),
        1 => -90.0..90.0_f64,
    ]
}

fn positions() -> impl Strategy<Value = Vec<[f64; 2]>> {
    prop::collection::vec((number(), number()).prop_map(|(x, y)| [x, y]), 1..9)
}

fn closed(mut ring: Vec<[f64; 2]>) -> Vec<[f64; 2]> {
    ring.extend(ring.first().copied());
    ring
}

/// A geometry type and coordinates that have its form.
fn geometry() -> impl Strategy<Value = (&'static str, Value)> {
    let rings = || prop::collection::vec(positions().prop_map(closed), 1..3);
    prop_oneof![
        1 => (number(), number()).prop_map(|(x, y)| ("Point", json!([x, y]))),
        1 => positions().prop_map(|points| ("MultiPoint", json!(points))),
        2 => positions().prop_map(|line| ("LineString", json!(line))),
        2 => prop::collection::vec(positions(), 1..4).prop_map(|lines| ("MultiLineString", json!(lines))),
        3 => rings().prop_map(|polygon| ("Polygon", json!(polygon))),
        3 => prop::collection::vec(rings(), 1..3).prop_map(|polygons| ("MultiPolygon", json!(polygons))),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn every_geometry_is_compared_without_a_panic(entity in geometry(), query in geometry()) {
        let Some(read) = EntityGeometry::read(&json!({"type": entity.0, "coordinates": entity.1})) else { return Ok(()) };
        let holds = |georel: &str| {
            let query = json!({"georel": georel, "geometry": query.0, "coordinates": query.1});
            GeoQuery::parse(&query).ok().map(|query| query.matches(Some(&read)))
        };
        for georel in GEORELS {
            holds(georel);
        }
        if let (Some(intersects), Some(disjoint)) = (holds("intersects"), holds("disjoint")) {
            prop_assert_ne!(intersects, disjoint);
        }
    }
}
