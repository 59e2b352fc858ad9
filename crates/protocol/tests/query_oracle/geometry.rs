//! `geoQ` with points and convex areas, against the formulas of a textbook: haversine, and the crossings of a ray.

use std::f64::consts::TAU;

use entity_stream_protocol::{EntityGeometry, GeoQuery};
use proptest::prelude::*;
use serde_json::{Value, json};

/// The mean radius of the Earth, in metres.
const EARTH: f64 = 6_371_008.8;

type Position = (f64, f64);

fn distance(one: Position, other: Position) -> f64 {
    let half_chord = |degrees: f64| (degrees.to_radians() / 2.0).sin().powi(2);
    let along = half_chord(other.1 - one.1);
    let across = one.1.to_radians().cos() * other.1.to_radians().cos() * half_chord(other.0 - one.0);
    2.0 * EARTH * (along + across).sqrt().min(1.0).asin()
}

/// Counts how often a ray to the east crosses the ring.
fn is_inside(position: Position, ring: &[Position]) -> bool {
    let mut inside = false;
    for (start, end) in ring.iter().zip(&ring[1..]) {
        if (start.1 > position.1) != (end.1 > position.1) {
            let crossing = start.0 + (position.1 - start.1) / (end.1 - start.1) * (end.0 - start.0);
            inside ^= crossing > position.0;
        }
    }
    inside
}

/// The position is so close to the line through two corners that rounding may decide.
fn is_near_boundary(position: Position, ring: &[Position]) -> bool {
    ring.iter().zip(&ring[1..]).any(|(start, end)| {
        let (x, y) = (end.0 - start.0, end.1 - start.1);
        let cross = x * (position.1 - start.1) - y * (position.0 - start.0);
        cross.abs() < 1e-7 * x.hypot(y).max(1e-6)
    })
}

fn geo_q(georel: &str, geometry: &str, coordinates: &Value) -> GeoQuery {
    GeoQuery::parse(&json!({ "georel": georel, "geometry": geometry, "coordinates": coordinates })).unwrap()
}

/// A point in each form.
fn forms(position: Position) -> [Value; 5] {
    let point = json!({ "type": "Point", "coordinates": [position.0, position.1] });
    [
        json!({ "type": "GeoProperty", "value": point }),
        json!({ "value": point }),
        json!({ "type": "geo:json", "value": point, "metadata": {} }),
        json!({ "type": "geo:point", "value": format!("{}, {}", position.1, position.0) }),
        point,
    ]
}

fn anywhere() -> impl Strategy<Value = Position> {
    prop_oneof![
        (-180.0..=180.0, -90.0..=90.0),
        (135.0..136.0, 34.0..36.0),
        (-180..=180_i32, -90..=90_i32).prop_map(|(x, y)| (x.into(), y.into()))
    ]
}

/// A closed ring around a place, whose corners lie on an ellipse.
fn convex_ring() -> impl Strategy<Value = Vec<Position>> {
    let angles = prop::collection::btree_set(0..60_u32, 3..8);
    (-160.0..160.0, -70.0..70.0, 0.001..15.0, 0.001..15.0, angles, any::<bool>()).prop_map(
        |(x, y, width, height, angles, is_clockwise)| {
            let corner = |angle: &u32| {
                let (sine, cosine) = (f64::from(*angle) / 60.0 * TAU).sin_cos();
                (x + width * cosine, y + height * sine)
            };
            let mut ring: Vec<Position> = angles.iter().map(corner).collect();
            ring.push(ring[0]);
            if is_clockwise {
                ring.reverse();
            }
            ring
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn near_is_a_distance_on_the_sphere(centre in anywhere(), place in anywhere(), factor in prop_oneof![0.0..0.999, 1.001..3.0]) {
        let apart = distance(centre, place);
        let limit: f64 = apart * factor;
        prop_assume!((limit - apart).abs() > 0.01);
        let coordinates = json!([centre.0, centre.1]);
        for attribute in forms(place) {
            let geometry = EntityGeometry::read(&attribute);
            prop_assert!(geometry.is_some(), "{}", attribute);
            let at_most = geo_q(&format!("near;maxDistance=={limit}"), "Point", &coordinates);
            let at_least = geo_q(&format!("near;minDistance=={limit}"), "Point", &coordinates);
            prop_assert_eq!(at_most.matches(geometry.as_ref()), apart <= limit, "{} m of {} m, {}", apart, limit, attribute);
            prop_assert_eq!(at_least.matches(geometry.as_ref()), apart >= limit, "{} m of {} m, {}", apart, limit, attribute);
        }
    }

    #[test]
    fn a_point_is_within_an_area_if_a_ray_crosses_the_ring_once(ring in convex_ring(), east in -1.5..1.5, north in -1.5..1.5) {
        // A place between the first corner and beyond the others.
        let middle = |part: fn(&Position) -> f64| ring.iter().map(part).sum::<f64>() / ring.len() as f64;
        let (x, y) = (middle(|corner| corner.0), middle(|corner| corner.1));
        let place: Position = (x + east * (ring[0].0 - x), y + north * (ring[1].1 - y));
        prop_assume!(place.0.abs() <= 180.0 && place.1.abs() <= 90.0 && !is_near_boundary(place, &ring));
        let inside = is_inside(place, &ring);
        let area = json!([ring.iter().map(|corner| [corner.0, corner.1]).collect::<Vec<_>>()]);
        for attribute in forms(place) {
            let geometry = EntityGeometry::read(&attribute);
            prop_assert!(geometry.is_some(), "{}", attribute);
            for (georel, expected) in [("within", inside), ("intersects", inside), ("disjoint", !inside), ("contains", false)] {
                let query = geo_q(georel, "Polygon", &area);
                prop_assert_eq!(query.matches(geometry.as_ref()), expected, "{} {:?} {:?}", georel, place, ring);
            }
        }
        let geometry = EntityGeometry::read(&json!({ "type": "Polygon", "coordinates": area }));
        for (georel, expected) in [("contains", inside), ("intersects", inside), ("disjoint", !inside), ("within", false)] {
            let query = geo_q(georel, "Point", &json!([place.0, place.1]));
            prop_assert_eq!(query.matches(geometry.as_ref()), expected, "{} {:?} {:?}", georel, place, ring);
        }
    }
}
