//! The relations of shapes in the plane.

use geo::{Area, BooleanOps, Coord, Intersects, LineString, Point, Polygon};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::{entity, query, ring};

const RELATIONS: [&str; 6] = ["within", "intersects", "disjoint", "contains", "overlaps", "equals"];

/// The relations of an entity's geometry to a query's geometry.
fn relations(entity_geometry: (&str, &Value), query_geometry: (&str, &Value)) -> Vec<&'static str> {
    let entity = entity(entity_geometry.0, entity_geometry.1);
    let holds = |georel: &&str| query(georel, query_geometry.0, query_geometry.1).matches(Some(&entity));
    RELATIONS.into_iter().filter(|georel| holds(georel)).collect()
}

#[test]
fn a_table_of_relations() {
    let square = json!([ring(0.0, 0.0, 4.0, 4.0)]);
    let with_hole = json!([ring(0.0, 0.0, 4.0, 4.0), ring(1.0, 1.0, 3.0, 3.0)]);
    let small = json!([ring(1.5, 1.5, 2.5, 2.5)]);
    let beside = json!([ring(2.0, 2.0, 6.0, 6.0)]);
    let far = json!([ring(10.0, 10.0, 11.0, 11.0)]);
    let neighbour = json!([ring(4.0, 0.0, 8.0, 4.0)]);
    let two = json!([square, far]);
    let line = |coordinates: Value| coordinates;
    let table: [(&str, Value, &str, &Value, &[&str]); 26] = [
        ("Point", json!([2, 2]), "Polygon", &square, &["within", "intersects"]),
        ("Point", json!([0, 2]), "Polygon", &square, &["intersects"]),
        ("Point", json!([5, 2]), "Polygon", &square, &["disjoint"]),
        ("Point", json!([2, 2]), "Polygon", &with_hole, &["disjoint"]),
        ("Point", json!([1, 2]), "Polygon", &with_hole, &["intersects"]),
        ("Point", json!([10.5, 10.5]), "MultiPolygon", &two, &["within", "intersects"]),
        ("Point", json!([2, 2]), "Point", &json!([2, 2]), &["within", "intersects", "contains", "equals"]),
        ("Point", json!([2, 2]), "MultiPoint", &json!([[2, 2], [3, 3]]), &["within", "intersects"]),
        ("Point", json!([2, 2]), "LineString", &json!([[0, 0], [4, 4]]), &["within", "intersects"]),
        ("Point", json!([0, 0]), "LineString", &json!([[0, 0], [4, 4]]), &["intersects"]),
        ("MultiPoint", json!([[1, 1], [2, 2]]), "MultiPoint", &json!([[2, 2], [3, 3]]), &["intersects", "overlaps"]),
        ("MultiPoint", json!([[1, 1], [9, 9]]), "Polygon", &square, &["intersects"]),
        ("LineString", line(json!([[1, 1], [3, 3]])), "Polygon", &square, &["within", "intersects"]),
        ("LineString", line(json!([[1, 1], [9, 9]])), "Polygon", &square, &["intersects"]),
        (
            "LineString",
            line(json!([[0, 0], [3, 3]])),
            "LineString",
            &json!([[2, 2], [5, 5]]),
            &["intersects", "overlaps"],
        ),
        (
            "LineString",
            line(json!([[0, 0], [3, 3]])),
            "LineString",
            &json!([[3, 3], [1, 1], [0, 0]]),
            &["within", "intersects", "contains", "equals"],
        ),
        ("Polygon", square.clone(), "Point", &json!([2, 2]), &["intersects", "contains"]),
        ("Polygon", square.clone(), "LineString", &json!([[1, 1], [3, 3]]), &["intersects", "contains"]),
        ("Polygon", small.clone(), "Polygon", &square, &["within", "intersects"]),
        ("Polygon", square.clone(), "Polygon", &small, &["intersects", "contains"]),
        ("Polygon", small.clone(), "Polygon", &with_hole, &["disjoint"]),
        ("Polygon", square.clone(), "Polygon", &beside, &["intersects", "overlaps"]),
        ("Polygon", square.clone(), "Polygon", &neighbour, &["intersects"]),
        ("Polygon", square.clone(), "Polygon", &far, &["disjoint"]),
        ("Polygon", square.clone(), "MultiPolygon", &two, &["within", "intersects"]),
        (
            "Polygon",
            json!([[[0, 0], [4, 0], [4, 2], [4, 4], [0, 4], [0, 0]]]),
            "Polygon",
            &square,
            &["within", "intersects", "contains", "equals"],
        ),
    ];
    for (kind, coordinates, query_kind, query_coordinates, expected) in table {
        let found = relations((kind, &coordinates), (query_kind, query_coordinates));
        assert_eq!(found, expected, "{kind} {coordinates}, {query_kind} {query_coordinates}");
    }
}

#[test]
fn an_invalid_area_of_an_entity_has_points_and_no_other_relation() {
    let bow_tie = json!([[[0, 0], [4, 4], [4, 0], [0, 4], [0, 0]]]);
    let around = json!([ring(-1.0, -1.0, 5.0, 5.0)]);
    assert_eq!(relations(("Polygon", &bow_tie), ("Polygon", &around)), ["intersects"]);
    assert_eq!(relations(("Polygon", &bow_tie), ("Polygon", &json!([ring(8.0, 8.0, 9.0, 9.0)]))), ["disjoint"]);
    assert_eq!(relations(("Polygon", &bow_tie), ("Point", &json!([3.5, 2]))), ["intersects", "contains"]);
}

#[test]
fn a_line_that_crosses_itself_too_often_is_not_compared() {
    let zigzag = |turns: i32| {
        let mut points: Vec<_> = (0..turns).map(|n| [f64::from(n) * 0.01, f64::from(n % 2)]).collect();
        points.extend([[9.0, 0.5], [-1.0, 0.5]]);
        json!(points)
    };
    let around = json!([ring(-2.0, -2.0, 10.0, 10.0)]);
    assert_eq!(relations(("LineString", &zigzag(90)), ("Polygon", &around)), ["within", "intersects"]);
    assert_eq!(relations(("LineString", &zigzag(110)), ("Polygon", &around)), ["intersects"]);
}

#[test]
fn an_area_of_many_segments_side_by_side_is_not_compared() {
    let comb = |teeth: i32| {
        let mut points: Vec<_> =
            (0..teeth * 2).map(|n| [f64::from(n) * 0.01 + f64::from(n % 2), f64::from(n % 2)]).collect();
        points.extend([[20.0, -1.0], [0.0, -1.0], [0.0, 0.0]]);
        json!([points])
    };
    let around = json!([ring(-2.0, -2.0, 21.0, 21.0)]);
    assert_eq!(relations(("Polygon", &comb(50)), ("Polygon", &around)), ["within", "intersects"]);
    assert_eq!(relations(("Polygon", &comb(400)), ("Polygon", &around)), ["intersects"]);
}

#[test]
fn an_area_of_many_rings_is_not_compared() {
    let holes = |count: i32| {
        let hole = |n: i32| ring(f64::from(n), 0.25, f64::from(n) + 0.5, 0.75);
        let rings: Vec<_> = std::iter::once(ring(-1.0, -1.0, 140.0, 2.0)).chain((0..count).map(hole)).collect();
        json!(rings)
    };
    let around = json!([ring(-2.0, -2.0, 150.0, 21.0)]);
    assert_eq!(relations(("Polygon", &holes(99)), ("Polygon", &around)), ["within", "intersects"]);
    assert_eq!(relations(("Polygon", &holes(100)), ("Polygon", &around)), ["intersects"]);
}

/// Points of a small grid, so that shapes touch often.
fn grid() -> impl Strategy<Value = (i32, i32)> {
    (0..6, 0..6)
}

fn polygon(corners: &[(i32, i32)]) -> Polygon<f64> {
    let coords = corners.iter().map(|(x, y)| Coord { x: f64::from(*x), y: f64::from(*y) }).collect();
    Polygon::new(LineString(coords), Vec::new())
}

fn coordinates(polygon: &Polygon<f64>) -> Value {
    json!([polygon.exterior().0.iter().map(|coord| [coord.x, coord.y]).collect::<Vec<_>>()])
}

proptest! {
    #[test]
    fn triangles_relate_as_the_area_of_their_intersection_says(
        a in prop::array::uniform3(grid()), b in prop::array::uniform3(grid()),
    ) {
        let (a, b) = (polygon(&a), polygon(&b));
        prop_assume!(a.unsigned_area() > 0.0 && b.unsigned_area() > 0.0);
        let found = relations(("Polygon", &coordinates(&a)), ("Polygon", &coordinates(&b)));
        let common = a.intersection(&b).unsigned_area();
        let fills = |whole: f64| (whole - common).abs() < 1e-6;
        let (a_area, b_area) = (a.unsigned_area(), b.unsigned_area());
        prop_assert_eq!(found.contains(&"within"), fills(a_area), "{:?}", &found);
        prop_assert_eq!(found.contains(&"contains"), fills(b_area), "{:?}", &found);
        prop_assert_eq!(found.contains(&"equals"), fills(a_area) && fills(b_area), "{:?}", &found);
        prop_assert_eq!(found.contains(&"overlaps"), common > 1e-6 && !fills(a_area) && !fills(b_area), "{:?}", &found);
        prop_assert!(found.contains(&"intersects") || common < 1e-6);
        prop_assert_ne!(found.contains(&"intersects"), found.contains(&"disjoint"));
    }

    #[test]
    fn a_relation_of_two_has_its_mirror(a in prop::collection::vec(grid(), 2..6), b in prop::collection::vec(grid(), 2..6)) {
        let lines = [a, b].map(|mut line| { line.dedup(); line });
        prop_assume!(lines.iter().all(|line| line.len() > 1));
        let [a, b] = lines.map(|line| json!(line));
        let there = relations(("LineString", &a), ("LineString", &b));
        let back = relations(("LineString", &b), ("LineString", &a));
        for (one, other) in [("within", "contains"), ("contains", "within"), ("intersects", "intersects"),
            ("disjoint", "disjoint"), ("overlaps", "overlaps"), ("equals", "equals")] {
            prop_assert_eq!(there.contains(&one), back.contains(&other), "{} {}", one, other);
        }
    }

    #[test]
    fn a_point_meets_an_area_as_geo_says(point in grid(), corners in prop::array::uniform3(grid())) {
        let area = polygon(&corners);
        prop_assume!(area.unsigned_area() > 0.0);
        let found = relations(("Point", &json!([point.0, point.1])), ("Polygon", &coordinates(&area)));
        prop_assert_eq!(
            found.contains(&"intersects"),
            area.intersects(&Point::new(f64::from(point.0), f64::from(point.1)))
        );
    }
}
