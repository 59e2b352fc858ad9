//! Which attributes hold a geometry.

use entity_stream_protocol::EntityGeometry;
use entity_stream_protocol::limits::GEOMETRY_POSITIONS;
use serde_json::{Value, json};

use crate::{query, ring};

/// Returns true if the attribute has this very geometry.
fn is(attribute: &Value, geometry: &str, coordinates: &Value) -> bool {
    let read = EntityGeometry::read(attribute);
    assert_eq!(read.is_some(), EntityGeometry::parse(&attribute.to_string()).is_some());
    query("equals", geometry, coordinates).matches(read.as_ref())
}

#[test]
fn a_point_is_read_in_every_form() {
    let point = json!({"type":"Point","coordinates":[139.7, 35.6]});
    let attributes = [
        point.clone(),
        json!({"type":"Point","coordinates":[139.7, 35.6, 12]}),
        json!({"type":"GeoProperty","value":point}),
        json!({"type":"GeoProperty","value":point.to_string()}),
        json!({"type":"GeoProperty","value":point,"observedAt":"2026-01-01T00:00:00Z","accuracy":{"type":"Property","value":1}}),
        json!({"value":point,"observedAt":"2026-01-01T00:00:00Z"}),
        json!({"type":"geo:json","value":point,"metadata":{}}),
        json!({"type":"geo:point","value":"35.6, 139.7"}),
        json!({"type":"geo:point","value":" 35.6,139.7 ","metadata":{}}),
        json!([{"type":"GeoProperty","value":point}]),
        json!([{"type":"GeoProperty","value":{"type":"Point","coordinates":[0,0]},"datasetId":"urn:a"},
               {"type":"GeoProperty","value":point,"datasetId":"urn:b"}]),
        json!({"dataset":{"@none":{"type":"Point","coordinates":[0,0]},"urn:b":point}}),
    ];
    for attribute in attributes {
        assert!(is(&attribute, "Point", &json!([139.7, 35.6])), "{attribute}");
        assert!(!is(&attribute, "Point", &json!([35.6, 9.7])), "{attribute}");
    }
}

#[test]
fn lines_and_areas_of_ngsiv2_have_the_latitude_first() {
    let line = json!({"type":"geo:line","value":["1, 2", "3, 4"]});
    assert!(is(&line, "LineString", &json!([[2, 1], [4, 3]])));
    let polygon = json!({"type":"geo:polygon","value":["0,0", "0,2", "1,2", "0,0"]});
    assert!(is(&polygon, "Polygon", &json!([[[0, 0], [2, 0], [2, 1], [0, 0]]])));
    for corners in [["10,20", "11,22"], ["11,22", "10,20"], ["10,22", "11,20"]] {
        let area = json!({"type":"geo:box","value":corners});
        assert!(is(&area, "Polygon", &json!([ring(20.0, 10.0, 22.0, 11.0)])), "{area}");
    }
}

#[test]
fn each_type_of_geometry_is_read() {
    let geometries = [
        ("MultiPoint", json!([[0, 0], [1, 1]])),
        ("LineString", json!([[0, 0], [1, 1], [2, 0]])),
        ("MultiLineString", json!([[[0, 0], [1, 1]], [[5, 5], [6, 6]]])),
        ("Polygon", json!([ring(0.0, 0.0, 9.0, 9.0), ring(1.0, 1.0, 2.0, 2.0)])),
        ("MultiPolygon", json!([[ring(0.0, 0.0, 1.0, 1.0)], [ring(2.0, 2.0, 3.0, 3.0)]])),
    ];
    for (geometry, coordinates) in geometries {
        assert!(is(&json!({"type": geometry, "coordinates": coordinates}), geometry, &coordinates), "{geometry}");
    }
}

#[test]
fn an_attribute_without_a_geometry_matches_nothing() {
    let attributes = [
        json!(null),
        json!(5),
        json!("35.6, 139.7"),
        json!([]),
        json!({}),
        json!({"dataset":{}}),
        json!({"type":"Property","value":5}),
        json!({"type":"Property","value":{"type":"Point","coordinates":[0,0]}}),
        json!({"type":"GeoProperty"}),
        json!({"type":"GeoProperty","value":"urn:ngsi-ld:null"}),
        json!({"type":"GeoProperty","value":"{"}),
        json!({"type":"GeoProperty","value":{"type":"GeometryCollection","geometries":[]}}),
        json!({"type":"Feature","geometry":{"type":"Point","coordinates":[0,0]}}),
        json!({"type":"Point"}),
        json!({"type":"Point","coordinates":[0]}),
        json!({"type":"Point","coordinates":["0","0"]}),
        json!({"type":"Point","coordinates":[200,0]}),
        json!({"type":"Point","coordinates":[0,-91]}),
        json!({"type":"LineString","coordinates":[[0,0]]}),
        json!({"type":"LineString","coordinates":[[0,0],[0,0]]}),
        json!({"type":"Polygon","coordinates":[[[0,0],[1,0],[1,1],[0,1]]]}),
        json!({"type":"MultiPoint","coordinates":[]}),
        json!({"type":"MultiPolygon","coordinates":[[]]}),
        json!({"type":"geo:point","value":"NaN, 0"}),
        json!({"type":"geo:point","value":"inf, 0"}),
        json!({"type":"geo:point","value":"0"}),
        json!({"type":"geo:point","value":[0,0]}),
        json!({"type":"geo:line","value":["0,0"]}),
        json!({"type":"geo:box","value":["0,0"]}),
        json!({"type":"geo:box","value":["0,0","0,0"]}),
        json!({"type":"geo:polygon","value":["0,0","0,1","1,1"]}),
        json!([{"type":"GeoProperty","value":{"type":"Point","coordinates":[0,0]}}, {"type":"Property","value":1}]),
    ];
    let everywhere = ["disjoint", "intersects", "near;minDistance==0", "near;maxDistance==1000000000"]
        .map(|georel| query(georel, "Point", &json!([50, 50])));
    for attribute in attributes {
        let read = EntityGeometry::read(&attribute);
        assert!(read.is_none(), "{attribute}");
        assert!(!everywhere.iter().any(|query| query.matches(read.as_ref())));
    }
}

#[test]
fn an_attribute_has_a_limited_number_of_positions() {
    let points = |count: usize| json!({"type":"MultiPoint","coordinates":vec![[1, 1]; count]});
    assert!(EntityGeometry::read(&points(GEOMETRY_POSITIONS)).is_some());
    assert!(EntityGeometry::read(&points(GEOMETRY_POSITIONS + 1)).is_none());
    let half = json!({"type":"GeoProperty","value":points(GEOMETRY_POSITIONS / 2 + 1)});
    assert!(EntityGeometry::read(&json!([half])).is_some());
    assert!(EntityGeometry::read(&json!([half, half])).is_none());
    let line = |count: usize| json!({"type":"geo:line","value":(0..count).map(|n| format!("0,{}", n % 2)).collect::<Vec<_>>()});
    assert!(EntityGeometry::read(&line(GEOMETRY_POSITIONS)).is_some());
    assert!(EntityGeometry::read(&line(GEOMETRY_POSITIONS + 1)).is_none());
}

#[test]
fn a_long_text_is_not_read() {
    let point = r#"{"type":"Point","coordinates":[0,0]}"#;
    assert!(EntityGeometry::parse(point).is_some());
    assert!(EntityGeometry::parse(&format!("{}{point}", " ".repeat(128 * 1024))).is_none());
    assert!(EntityGeometry::parse(&"[".repeat(100_000)).is_none());
}
