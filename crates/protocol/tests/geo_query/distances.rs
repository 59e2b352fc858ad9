//! `near`: distances on the sphere.

use geo::{Distance, Haversine, InterpolatePoint, Point};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::{entity, query, ring};

/// The distance at which `near` begins to match, in metres, to a millimetre. `maxDistance` and `minDistance` have to agree.
fn distance(from: [f64; 2], geometry: &str, coordinates: &Value) -> f64 {
    let entity = entity(geometry, coordinates);
    let (mut low, mut high) = (0.0, 21_000_000.0);
    while high - low > 0.001 {
        let middle: f64 = (low + high) / 2.0;
        let near = query(&format!("near;maxDistance=={middle}"), "Point", &json!(from)).matches(Some(&entity));
        let far = query(&format!("near;minDistance=={middle}"), "Point", &json!(from)).matches(Some(&entity));
        assert!(near || far, "{middle} m is neither near nor far");
        if near { high = middle } else { low = middle }
    }
    high
}

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() < 0.01
}

#[test]
fn known_distances() {
    // A degree of a great circle of this sphere, in metres.
    let degree = 6_371_008.771_4 * std::f64::consts::PI / 180.0;
    let square = json!([ring(10.0, 10.0, 20.0, 20.0), ring(14.0, 14.0, 16.0, 16.0)]);
    let table = [
        ([0.0, 0.0], "Point", json!([1, 0]), degree),
        ([179.5, 0.0], "Point", json!([-179.5, 0]), degree),
        ([180.0, 10.0], "Point", json!([-180, 10]), 0.0),
        ([0.0, 89.0], "Point", json!([180, 89]), 2.0 * degree),
        ([12.0, 90.0], "Point", json!([-77, 90]), 0.0),
        ([0.0, 0.0], "Point", json!([180, 0]), 180.0 * degree),
        ([0.0, -90.0], "Point", json!([33, 90]), 180.0 * degree),
        ([5.0, 1.0], "LineString", json!([[0, 0], [10, 0]]), degree),
        ([-2.0, 0.0], "LineString", json!([[0, 0], [10, 0]]), 2.0 * degree),
        ([5.0, 2.0], "LineString", json!([[5, 0], [5, 1], [5, 2]]), 0.0),
        ([179.9, 1.0], "LineString", json!([[179, 0], [-179, 0]]), degree),
        ([0.0, 3.0], "MultiPoint", json!([[50, 50], [0, 1]]), 2.0 * degree),
        ([0.0, 3.0], "MultiLineString", json!([[[50, 50], [51, 51]], [[-5, 0], [5, 0]]]), 3.0 * degree),
        ([12.0, 12.0], "Polygon", square.clone(), 0.0),
        ([10.0, 10.0], "Polygon", square.clone(), 0.0),
        ([9.0, 0.0], "Polygon", json!([ring(-5.0, -1.0, 5.0, 1.0)]), 4.000_5 * degree),
        ([0.0, 5.0], "MultiPolygon", json!([[ring(40.0, 40.0, 41.0, 41.0)], [ring(0.0, 4.0, 1.0, 6.0)]]), 0.0),
    ];
    for (from, geometry, coordinates, expected) in table {
        let found = distance(from, geometry, &coordinates);
        // An area is nearest at an arc, which is not a meridian here. Chords hardly differ near the far side of the Earth.
        let tolerance = if geometry == "Polygon" {
            100.0
        } else if expected > 20_000_000.0 {
            0.2
        } else {
            0.01
        };
        assert!((found - expected).abs() < tolerance, "{from:?} to {geometry} {coordinates}: {found}, not {expected}");
    }
    let in_the_hole = distance([15.0, 15.0], "Polygon", &square);
    assert!((0.9 * degree..degree).contains(&in_the_hole), "{in_the_hole}");
}

#[test]
fn a_distance_of_0_is_near_and_far() {
    let here = entity("Point", &json!([7.5, 50.25]));
    for georel in ["near;maxDistance==0", "near;minDistance==0"] {
        assert!(query(georel, "Point", &json!([7.5, 50.25])).matches(Some(&here)), "{georel}");
    }
    assert!(!query("near;maxDistance==0", "Point", &json!([7.500_001, 50.25])).matches(Some(&here)));
}

#[test]
fn beyond_the_far_side_everything_is_near() {
    let antipode = entity("Point", &json!([180, 0]));
    assert!(query("near;maxDistance==20100000", "Point", &json!([0, 0])).matches(Some(&antipode)));
    assert!(!query("near;minDistance==20100000", "Point", &json!([0, 0])).matches(Some(&antipode)));
}

fn place() -> impl Strategy<Value = [f64; 2]> {
    let lon = prop_oneof![3 => -180.0..=180.0_f64, 1 => prop::sample::select(vec![-180.0, 0.0, 180.0])];
    let lat = prop_oneof![3 => -90.0..=90.0_f64, 1 => prop::sample::select(vec![-90.0, 0.0, 90.0])];
    (lon, lat).prop_map(|(lon, lat)| [lon, lat])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn points_are_as_far_as_the_haversine_says(a in place(), b in place()) {
        let expected = Haversine.distance(Point::from(a), Point::from(b));
        // The haversine formula loses digits near the antipode.
        prop_assume!(expected < 19_000_000.0);
        let found = distance(a, "Point", &json!(b));
        prop_assert!(close(found, expected), "{found}, not {expected}");
    }

    #[test]
    fn a_line_is_as_far_as_the_nearest_of_its_points(
        from in place(), start in place(), step in (-5.0..5.0_f64, -5.0..5.0_f64),
    ) {
        let end = [(start[0] + step.0).clamp(-180.0, 180.0), (start[1] + step.1).clamp(-90.0, 90.0)];
        prop_assume!(start != end);
        let found = distance(from, "LineString", &json!([start, end]));
        let points = (0..=2_000).map(|n| {
            Haversine.point_at_ratio_between(Point::from(start), Point::from(end), f64::from(n) / 2_000.0)
        });
        let length = Haversine.distance(Point::from(start), Point::from(end));
        let expected = points.map(|point| Haversine.distance(Point::from(from), point)).fold(f64::INFINITY, f64::min);
        // No point of the line is farther from the next sample than half their distance.
        prop_assert!(found <= expected + 1.0 && found >= expected - length / 4_000.0 - 1.0, "{found}, not {expected}");
    }
}
